/// Checks that print what failed and are counted: `int main() { ...; return check_report(); }`.
#pragma once

#include <iomanip>
#include <iostream>
#include <limits>

namespace check {

inline int failures = 0;

inline bool report(bool passed, const char* file, int line, const char* what) {
  if (!passed && ++failures <= 50) std::cerr << file << ':' << line << ": failed: " << what << '\n';
  return passed;
}

template <class A, class B>
bool report_le(const A& a, const B& b, const char* file, int line, const char* what) {
  const bool passed = report(a <= b, file, line, what);
  if (!passed && failures <= 50) std::cerr << "    " << std::setprecision(17) << a << " against " << b << '\n';
  return passed;
}

}  // namespace check

#define CHECK(...) check::report(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define CHECK_LE(a, b) check::report_le((a), (b), __FILE__, __LINE__, #a " <= " #b)

/// The number of failed checks, as the value of main().
inline int check_report() {
  if (check::failures) std::cerr << check::failures << " checks failed\n";
  return check::failures != 0;
}
