// Fused multiply-adds as fast as one core issues them: independent chains in registers, nothing in memory.
// Each function returns how many floating-point operations it has done. `factor` is an argument so that the compiler does
// not know it.

#if defined(__AVX512F__)
#define REGISTER_BYTES 64
#elif defined(__AVX__)
#define REGISTER_BYTES 32
#else
#define REGISTER_BYTES 16
#endif
#define CHAINS 12  // more than latency times issue: 4 or 5 cycles, two a cycle

#define PEAK(name, scalar)                                                     \
  static volatile scalar name##_result;                                        \
  double name(long rounds, double factor_) {                                   \
    typedef scalar lanes __attribute__((vector_size(REGISTER_BYTES)));         \
    const lanes zero = {0}, factor = zero + (scalar)factor_, term = 1 - factor; \
    lanes sum[CHAINS];                                                         \
    for (int c = 0; c < CHAINS; ++c) sum[c] = zero + (scalar)c;                \
    for (long r = 0; r < rounds; ++r) {                                        \
      _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) sum[c] = sum[c] * factor + term; \
    }                                                                          \
    for (int c = 1; c < CHAINS; ++c) sum[0] += sum[c];                         \
    name##_result = sum[0][0];                                                 \
    return 2.0 * CHAINS * (REGISTER_BYTES / sizeof(scalar)) * (double)rounds;  \
  }

PEAK(peak_float32, float)
PEAK(peak_float64, double)
