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

/// base - tanh(t); rest = 1 - base^2.
struct TanhPieces {
  static constexpr float inverse_width = 0x1.22e8bap+1f;
  static constexpr float end = 0x1.b4793ep+2f, half = 0x1.a6632p+1f;
  static constexpr Sixteen centre{0x0p+0f, 0x1.c453b6p-2f, 0x1.c355d8p-1f, 0x1.51f1dep+0f,
                                  0x1.c27f7ep+0f, 0x1.199d34p+1f, 0x1.521b1ep+1f, 0x1.8a1172p+1f,
                                  0x1.c2a92ep+1f, 0x1.fafcbp+1f, 0x1.1970c8p+2f, 0x1.35c63cp+2f,
                                  0x1.51f41ap+2f, 0x1.6e3b92p+2f, 0x1.8a2c9p+2f, 0x1.a66ce4p+2f};
  static constexpr Sixteen c[] = {
      {0x0p+0f, -0x1.4848cp-5f, 0x1.5ece0ep-5f, 0x1.10c6f6p-3f,
       0x1.d73ca8p-5f, 0x1.8d5696p-6f, 0x1.4b1698p-7f, 0x1.1503d6p-8f,
       0x1.ca37fp-10f, 0x1.7c47b4p-11f, 0x1.3da41ep-12f, 0x1.0619a8p-13f,
       0x1.b29d4p-15f, 0x1.6734d4p-16f, 0x1.2c07aep-17f, 0x1.f05f64p-19f},
      {-0x1p+0f, -0x1.a7ca22p-1f, -0x1.ffe5f4p-2f, -0x1.fd38f8p-3f,
       -0x1.c9aee2p-4f, -0x1.88852ap-5f, -0x1.496a66p-6f, -0x1.146df6p-7f,
       -0x1.c9d16ep-9f, -0x1.7c2468p-10f, -0x1.3d97dp-11f, -0x1.061578p-12f,
       -0x1.b29a62p-14f, -0x1.6733dcp-15f, -0x1.2c0758p-16f, -0x1.f05f2cp-18f},
      {0x0p+0f, 0x1.5fceecp-2f, 0x1.6a00bap-2f, 0x1.b96604p-3f,
       0x1.af5b0cp-4f, 0x1.7f003ep-5f, 0x1.46165p-6f, 0x1.1342cep-7f,
       0x1.c90482p-9f, 0x1.7bddc4p-10f, 0x1.3d7f26p-11f, 0x1.060d0cp-12f,
       0x1.b2949p-14f, 0x1.6731e4p-15f, 0x1.2c069cp-16f, 0x1.f05eap-18f},
      {0x1.5550f6p-2f, 0x1.111674p-3f, -0x1.55606p-4f, -0x1.a9c564p-4f,
       -0x1.fbfdaep-5f, -0x1.e5bff2p-6f, -0x1.a9f7ap-7f, -0x1.6be6bap-8f,
       -0x1.2f9a6p-9f, -0x1.f9bcep-11f, -0x1.a70ebap-12f, -0x1.5d4da4p-13f,
       -0x1.21ae06p-14f, -0x1.dee33cp-16f, -0x1.9003b2p-17f, -0x1.4ae61ep-18f},
      {0x1.2262ecp-11f, -0x1.5be604p-3f, -0x1.e2993cp-5f, 0x1.2ae6b2p-6f,
       0x1.7e4ca8p-6f, 0x1.b54464p-7f, 0x1.989012p-8f, 0x1.65c2b4p-9f,
       0x1.2d816p-10f, 0x1.f85372p-12f, 0x1.a6974p-13f, 0x1.5d2b38p-14f,
       0x1.21a626p-15f, 0x1.dedb08p-17f, 0x1.900d74p-18f, 0x1.4aeec2p-19f},
      {-0x1.1e1132p-3f, 0x1.7dcffp-8f, 0x1.d64972p-5f, 0x1.c0ca72p-7f,
       -0x1.deedp-9f, -0x1.12898ap-8f, -0x1.2c9d56p-9f, -0x1.15ee34p-10f,
       -0x1.df049p-12f, -0x1.940826p-13f, -0x1.53cf82p-14f, -0x1.191c2p-15f,
       -0x1.d2da32p-17f, -0x1.8210b6p-18f, -0x1.42699p-19f, -0x1.0acb3cp-20f},
      {0x1.f58fbap-6f, 0x1.f0af96p-5f, -0x1.a3dbb2p-7f, -0x1.9f24ecp-7f,
       -0x1.e658bcp-10f, 0x1.63e724p-11f, 0x1.4756eep-11f, 0x1.53031p-12f,
       0x1.32d0acp-13f, 0x1.06df32p-14f, 0x1.bc8b44p-16f, 0x1.713334p-17f,
       0x1.3380c4p-18f, 0x1.008492p-19f, 0x1.a75a7p-21f, 0x1.5f384ep-22f}};
  static constexpr Sixteen base{0, 0.375f, 0.75f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  static constexpr Sixteen rest{1, 0.859375f, 0.4375f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
};
// clang-format on

}  // namespace bpnet::engine
