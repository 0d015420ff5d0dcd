#include "engine_levels.hpp"

#include <dlfcn.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "bpnet/kernel_table.hpp"

namespace bpnet::bindings {

namespace {

struct Level {
  const char* name;
  bool (*runs_here)();
};

#if defined(__x86_64__)
/// What x86-64-v3 means besides its vectors, and what __builtin_cpu_supports has no word for in every compiler.
bool has_v3_scalars() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_MOVBE) == 0 || (c & bit_F16C) == 0) return false;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT) != 0;
}

/// __builtin_cpu_supports asks the operating system too whether it saves the wide registers.
bool runs_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && has_v3_scalars();
}

bool runs_v4() {
  return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/// Best first.
constexpr Level levels[] = {
#if defined(__x86_64__)
    {"v4", runs_v4},
    {"v3", runs_v3},
    {"baseline", [] { return true; }},
#elif defined(__aarch64__)
    {"neon", [] { return true; }},
#else
    {"baseline", [] { return true; }},
#endif
};

std::string& current_level() {
  static std::string level;
  return level;
}

/// The folder that this extension was loaded from.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&load_engine), &info) == 0)
    throw std::runtime_error("bpnet cannot find its own folder");
  const std::string path = info.dli_fname;
  return path.substr(0, path.find_last_of('/') + 1);
}

void load(const Level& level) {
  const std::string path = own_folder() + "libbpnet_engine_" + level.name + ".so";
  void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) throw std::runtime_error(std::string("bpnet cannot load its engine: ") + dlerror());
  using Tables = const EngineTables* (*)();
  const auto tables = reinterpret_cast<Tables>(dlsym(object, "bpnet_engine_tables"));
  if (tables == nullptr) throw std::runtime_error(path + " is not an engine of bpnet");
  if (tables()->bytes != sizeof(EngineTables))
    throw std::runtime_error(path + " belongs to another build of bpnet; reinstall it");
  external_tables = tables();
  current_level() = level.name;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

const std::string& engine_level() { return current_level(); }

std::vector<std::string> available_levels() {
  std::vector<std::string> names;
  for (const Level& level : levels)
    if (level.runs_here()) names.emplace_back(level.name);
  return names;
}

void load_engine() {
  const char* forced = std::getenv("BPNET_ISA");
  const bool any = forced == nullptr || *forced == '\0';
  for (const Level& level : levels)
    if (level.runs_here() && (any || std::string(forced) == level.name)) return load(level);
  const bool known = std::any_of(std::begin(levels), std::end(levels),
                                 [&](const Level& level) { return std::string(forced) == level.name; });
  throw std::runtime_error(std::string("BPNET_ISA is '") + forced + "', " +
                           (known ? "which this machine cannot run" : "which is not a level") +
                           "; available here: " + joined(available_levels()));
}

}  // namespace bpnet::bindings
