/// Sigmoid and tanh of float32 by pieces: coefficients, printed by tools/fit_logistic.py.
///
/// Piece k of t >= 0 is where t * inverse_width rounds to k, as far as `end`, those with k < 8 as far as `half`. In it
/// a function is the polynomial c[0] + c[1] r + c[2] r^2 + ..., r = t - centre, each looked up with k.
#pragma once

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

// clang-format off
/// sigmoid(-t).
struct SigmoidPieces {
  static constexpr float inverse_width = 0x1.aaaaaap+0f;
  static constexpr float end = 0x1.2998c8p+3f, half = 0x1.1ffe5cp+2f;
  static constexpr Sixteen centre{0x0p+0f, 0x1.326384p-1f, 0x1.32effp+0f, 0x1.cd311ap+0f,
                                  0x1.333c4p+1f, 0x1.802334p+1f, 0x1.cc8a86p+1f, 0x1.0cc718p+2f,
                                  0x1.330076p+2f, 0x1.59b426p+2f, 0x1.80171cp+2f, 0x1.a68464p+2f,
                                  0x1.ccb9ecp+2f, 0x1.f3197p+2f, 0x1.0caf5ap+3f, 0x1.201a8p+3f};
  static constexpr Sixteen c[] = {
      {0x1p-1f, 0x1.6b382p-2f, 0x1.da6f6ep-3f, 0x1.22213p-3f,
       0x1.5496dp-4f, 0x1.841d88p-5f, 0x1.b49fb8p-6f, 0x1.e44818p-7f,
       0x1.0c4b4p-7f, 0x1.26315cp-8f, 0x1.43a2dp-9f, 0x1.637a3ap-10f,
       0x1.8795a6p-11f, 0x1.ae234ap-12f, 0x1.d92c26p-13f, 0x1.01f108p-13f},
      {-0x1.fffffep-3f, -0x1.d4c41ep-3f, -0x1.6c8752p-3f, -0x1.f20e96p-4f,
       -0x1.3844c4p-4f, -0x1.71ba3ep-5f, -0x1.a8fcf6p-6f, -0x1.dd1fd6p-7f,
       -0x1.0a18e4p-7f, -0x1.24df44p-8f, -0x1.42d63cp-9f, -0x1.62fedp-10f,
       -0x1.874ac4p-11f, -0x1.adf61ap-12f, -0x1.d910ccp-13f, -0x1.01e8e8p-13f},
      {-0x1.5688fcp-21f, 0x1.106b58p-5f, 0x1.874464p-5f, 0x1.64f222p-5f,
       0x1.04574ap-5f, 0x1.4eb27ap-6f, 0x1.925682p-7f, 0x1.cf0546p-8f,
       0x1.05bd12p-8f, 0x1.223da4p-9f, 0x1.413d7p-10f, 0x1.62079p-11f,
       0x1.86b43ep-12f, 0x1.ad9acep-13f, 0x1.d8d90cp-14f, 0x1.01d80ep-14f},
      {0x1.557a08p-6f, 0x1.d29b36p-7f, 0x1.08372cp-9f, -0x1.671e24p-8f,
       -0x1.c3c748p-8f, -0x1.677786p-8f, -0x1.de7624p-9f, -0x1.224c1ap-9f,
       -0x1.51845p-10f, -0x1.7c09a2p-11f, -0x1.a81908p-12f, -0x1.d57ec2p-13f,
       -0x1.03b3a2p-13f, -0x1.1df29ap-14f, -0x1.3af76p-15f, -0x1.57a166p-16f},
      {-0x1.a366b6p-15f, -0x1.38a788p-8f, -0x1.266e6ep-8f, -0x1.b8d37p-10f,
       0x1.b6bd6ap-13f, 0x1.95823ep-11f, 0x1.70c652p-11f, 0x1.fdfe4ep-12f,
       0x1.3bbc06p-12f, 0x1.6f68f4p-13f, 0x1.a12feep-14f, 0x1.d22cccp-15f,
       0x1.032b26p-15f, 0x1.1e26c4p-16f, 0x1.3baa0ep-17f, 0x1.58b2dep-18f},
      {-0x1.02a4cap-9f, -0x1.96bap-11f, 0x1.9d2e0cp-11f, 0x1.caff42p-11f,
       0x1.8596cap-12f, 0x1.5c900ap-15f, -0x1.0fd006p-14f, -0x1.29e8b6p-14f,
       -0x1.af3a3p-15f, -0x1.0e090cp-15f, -0x1.3e4aecp-16f, -0x1.6a38dep-17f,
       -0x1.96316ap-18f, -0x1.c24f6p-19f, -0x1.f1255p-20f, -0x1.121abep-20f}};
};

/// (value - tanh(t)) / r; value is tanh(centre), rest 1 - tanh(centre).
struct TanhPieces {
  static constexpr float inverse_width = 0x1.22e8bap+1f;
  static constexpr float end = 0x1.b4793ep+2f, half = 0x1.a6632p+1f;
  static constexpr Sixteen centre{0x0p+0f, 0x1.c014aep-2f, 0x1.c2b854p-1f, 0x1.51e9cap+0f,
                                  0x1.c29804p+0f, 0x1.19d294p+1f, 0x1.51aecap+1f, 0x1.8a0b64p+1f,
                                  0x1.c292d2p+1f, 0x1.fad042p+1f, 0x1.19bef6p+2f, 0x1.35e0c8p+2f,
                                  0x1.51d08cp+2f, 0x1.6e130ap+2f, 0x1.8a2c9p+2f, 0x1.a673bep+2f};
  static constexpr Sixteen value{0x0p+0f, 0x1.a583ccp-2f, 0x1.69c45p-1f, 0x1.bbca3ep-1f,
                                 0x1.e291bp-1f, 0x1.f39f82p-1f, 0x1.facae8p-1f, 0x1.fdd5c4p-1f,
                                 0x1.ff1a94p-1f, 0x1.ffa0acp-1f, 0x1.ffd8acp-1f, 0x1.ffefacp-1f,
                                 0x1.fff92ep-1f, 0x1.fffd2ep-1f, 0x1.fffed4p-1f, 0x1.ffff84p-1f};
  static constexpr Sixteen rest{0x1p+0f, 0x1.2d3e1ap-1f, 0x1.2c776p-2f, 0x1.10d708p-3f,
                                0x1.d6e5p-5f, 0x1.8c0fcp-6f, 0x1.4d46p-7f, 0x1.151dfep-8f,
                                0x1.cad7fep-10f, 0x1.7d4ff6p-11f, 0x1.3a9fe4p-12f, 0x1.054096p-13f,
                                0x1.b4812ep-15f, 0x1.68fcecp-16f, 0x1.2c07aep-17f, 0x1.eff528p-19f};
  static constexpr Sixteen c[] = {
      {-0x1p+0f, -0x1.a93eb2p-1f, -0x1.006264p-1f, -0x1.fd54d4p-3f,
       -0x1.c95c44p-4f, -0x1.87463ep-5f, -0x1.4b9422p-6f, -0x1.148802p-7f,
       -0x1.ca7134p-9f, -0x1.7d2c7ap-10f, -0x1.3a93d2p-11f, -0x1.053c6ep-12f,
       -0x1.b47e4ap-14f, -0x1.68fbfp-15f, -0x1.2c0758p-16f, -0x1.eff4fp-18f},
      {0x0p+0f, 0x1.5e1766p-2f, 0x1.6a4f5p-2f, 0x1.b97a2ep-3f,
       0x1.af121p-4f, 0x1.7dd0dcp-5f, 0x1.4834cap-6f, 0x1.135ca2p-7f,
       0x1.c9a3b8p-9f, 0x1.7ce578p-10f, 0x1.3a7ba4p-11f, 0x1.053416p-12f,
       0x1.b47872p-14f, 0x1.68f9e6p-15f, 0x1.2c069cp-16f, 0x1.eff466p-18f},
      {0x1.5550f6p-2f, 0x1.16de1ap-3f, -0x1.54381cp-4f, -0x1.a9ceeap-4f,
       -0x1.fbb492p-5f, -0x1.e453bp-6f, -0x1.acad7ap-7f, -0x1.6c086cp-8f,
       -0x1.3003dep-9f, -0x1.fb1aecp-11f, -0x1.a30b02p-12f, -0x1.5c2c02p-13f,
       -0x1.22f08ap-14f, -0x1.e143cep-16f, -0x1.9003b2p-17f, -0x1.4a9f52p-18f},
      {0x1.2262ecp-11f, -0x1.5c109ep-3f, -0x1.e55254p-5f, 0x1.2ac0fap-6f,
       0x1.7e31bep-6f, 0x1.b425e8p-7f, 0x1.9b0e2cp-8f, 0x1.65e2e6p-9f,
       0x1.2dea2cp-10f, 0x1.f9ac4cp-12f, 0x1.a28ec2p-13f, 0x1.5c0442p-14f,
       0x1.22e742p-15f, 0x1.e1478ap-17f, 0x1.900d74p-18f, 0x1.4aa712p-19f},
      {-0x1.1e1132p-3f, 0x1.176158p-8f, 0x1.d73c06p-5f, 0x1.c12ab4p-7f,
       -0x1.df621cp-9f, -0x1.121ca2p-8f, -0x1.2e2ee4p-9f, -0x1.160f8cp-10f,
       -0x1.df9b12p-12f, -0x1.9537ccp-13f, -0x1.50ae24p-14f, -0x1.184d6p-15f,
       -0x1.d4d56ep-17f, -0x1.83e03ep-18f, -0x1.42699p-19f, -0x1.0a911p-20f},
      {0x1.f58fbap-6f, 0x1.edb76ap-5f, -0x1.aa35bap-7f, -0x1.9f0fe4p-7f,
       -0x1.e78c64p-10f, 0x1.6442b2p-11f, 0x1.46d39cp-11f, 0x1.534dcep-12f,
       0x1.32b722p-13f, 0x1.08255ep-14f, 0x1.bc93eep-16f, 0x1.72a1d2p-17f,
       0x1.34bdp-18f, 0x1.fe3424p-20f, 0x1.a75a7p-21f, 0x1.5f5858p-22f}};
};
// clang-format on

}  // namespace bpnet::engine
