// The one file that is compiled for each instruction-set level, into a shared object that exports nothing but its
// tables.
#include "bpnet/kernel_table.hpp"

extern "C" __attribute__((visibility("default"))) const bpnet::EngineTables* bpnet_engine_tables() {
  static constexpr bpnet::EngineTables tables = bpnet::compiled_tables();
  return &tables;
}
