/// Sigmoid and tanh of float32 by pieces: coefficients, printed by tools/fit_logistic.py.
///
/// Piece k of t >= 0 is where t * inverse_width rounds to k, as far as `end`; in it a function is the polynomial
/// c[0] + c[1] r + c[2] r^2 + ..., r = t - centre, each looked up with k.
#pragma once

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

// clang-format off
/// sigmoid(-t).
struct SigmoidPieces {
  static constexpr float inverse_width = 0x1.89d89ep-1f, end = 0x1.37ff2ep+3f;
  static constexpr Eight centre{0x0p+0f, 0x1.4c9ecap+0f, 0x1.4d2fa4p+1f, 0x1.f3d882p+1f,
                              0x1.4c85a6p+2f, 0x1.a06e58p+2f, 0x1.f34b46p+2f, 0x1.235e2p+3f};
  static constexpr Eight c[] = {
      {0x1p-1f, 0x1.b6da1cp-3f, 0x1.1a6598p-4f, 0x1.4375cap-6f,
       0x1.691b36p-8f, 0x1.86e37p-10f, 0x1.acd4fep-12f, 0x1.d1dc62p-14f},
      {-0x1p-2f, -0x1.58d03cp-3f, -0x1.06ed58p-4f, -0x1.3d13p-6f,
       -0x1.671dd8p-8f, -0x1.864e3ap-10f, -0x1.aca81ap-12f, -0x1.d1cf24p-14f},
      {0x1.adb3c2p-24f, 0x1.8a13aep-5f, 0x1.c55846p-6f, 0x1.308de2p-7f,
       0x1.6328b6p-9f, 0x1.852448p-11f, 0x1.ac4e62p-13f, 0x1.d1b4b8p-15f},
      {0x1.554d08p-6f, 0x1.2c85f6p-12f, -0x1.af198cp-8f, -0x1.75ad6p-9f,
       -0x1.cf147p-11f, -0x1.01e0eep-12f, -0x1.1d119p-14f, -0x1.3654d2p-16f},
      {0x1.e7ef66p-17f, -0x1.0c3308p-8f, 0x1.15a28ep-11f, 0x1.37dce4p-11f,
       0x1.ba6b92p-13f, 0x1.fd8c92p-15f, 0x1.1c1c7ap-16f, 0x1.3605c6p-18f},
      {-0x1.17d3d4p-9f, 0x1.dbcaap-11f, 0x1.e48d16p-13f, -0x1.39e86p-14f,
       -0x1.41738cp-15f, -0x1.8ded34p-17f, -0x1.c3d8p-19f, -0x1.ef5cd4p-21f},
      {0x1.829a74p-14f, 0x1.472adp-13f, -0x1.b72e2cp-14f, -0x1.865a48p-20f,
       0x1.56baeap-18f, 0x1.fd63aep-20f, 0x1.2cd726p-21f, 0x1.4d901ap-23f},
      {0x1.2501c6p-13f, -0x1.b18ae6p-14f, 0x1.2c945ap-16f, 0x1.b6cd5ep-19f,
       -0x1.9a815cp-22f, -0x1.ffa686p-23f, -0x1.43c4ccp-24f, -0x1.7175b6p-26f}};
};

/// base - tanh(t); rest = 1 - base^2.
struct TanhPieces {
  static constexpr float inverse_width = 0x1.6db6dcp+0f, end = 0x1.4ffe5cp+2f;
  static constexpr Eight centre{0x0p+0f, 0x1.6678c2p-1f, 0x1.65b71cp+0f, 0x1.0d175ep+1f,
                              0x1.66051ep+1f, 0x1.bffaf4p+1f, 0x1.0cca9ep+2f, 0x1.395786p+2f};
  static constexpr Eight c[] = {
      {0x0p+0f, -0x1.abdac2p-4f, 0x1.d7f92ep-4f, 0x1.e1f312p-6f,
       0x1.e5c41p-8f, 0x1.ddccdcp-10f, 0x1.d799bep-12f, 0x1.d4e716p-14f},
      {-0x1p+0f, -0x1.44ee8p-1f, -0x1.bcc7f4p-3f, -0x1.dadc6ap-5f,
       -0x1.e3f73p-7f, -0x1.dd5d64p-9f, -0x1.d77e9ap-11f, -0x1.d4e062p-13f},
      {0x0p+0f, 0x1.88d12ep-2f, 0x1.89879cp-3f, 0x1.cce45p-5f,
       0x1.e060dcp-7f, 0x1.dc7ebap-9f, 0x1.d74868p-11f, 0x1.d4d31p-13f},
      {0x1.55535cp-2f, -0x1.4d102cp-6f, -0x1.8fdaf2p-4f, -0x1.210cbcp-5f,
       -0x1.3b7ecep-7f, -0x1.3c80e2p-9f, -0x1.39e74cp-11f, -0x1.387a34p-13f},
      {0x1.b78e98p-13f, -0x1.d9fb14p-4f, 0x1.6dcc36p-6f, 0x1.fbd018p-7f,
       0x1.320eccp-8f, 0x1.3a2866p-10f, 0x1.394c3p-12f, 0x1.384b9p-14f},
      {-0x1.154ef8p-3f, 0x1.ff986p-5f, 0x1.064478p-7f, -0x1.2ae8e2p-8f,
       -0x1.cbfc26p-10f, -0x1.ef817p-12f, -0x1.f3cc9p-14f, -0x1.f395a6p-16f},
      {0x1.28cc4cp-7f, 0x1.6f131ep-7f, -0x1.52b6f8p-7f, 0x1.d405e6p-12f,
       0x1.0c3b48p-11f, 0x1.44a252p-13f, 0x1.4fc2fap-15f, 0x1.5195dep-17f},
      {0x1.37c90ep-5f, -0x1.8fee6cp-6f, 0x1.1f7ed4p-8f, 0x1.80ecfap-12f,
       -0x1.aa54ccp-14f, -0x1.528f58p-15f, -0x1.6d6816p-17f, -0x1.71c2dcp-19f}};
  static constexpr Eight base{0, 0.5f, 1, 1, 1, 1, 1, 1}, rest{1, 0.75f, 0, 0, 0, 0, 0, 0};
};
// clang-format on

}  // namespace bpnet::engine
