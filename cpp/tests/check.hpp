// SPDX-License-Identifier: MIT
//
// A small test harness, so that the C++ tests build without anything to install.
//
//   TEST(a_claim_about_the_code) { CHECK(condition); CHECK_EQUAL(got, expected);
//                                  CHECK_THROWS(expression, std::invalid_argument); }
//   TEST_MAIN()
#pragma once

#include <cstdio>
#include <exception>
#include <iostream>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

// Returns std::cerr at the head of a message; a failed check does not stop its test.
inline std::ostream& fail(const char* file, int line) {
  ++failures();
  return std::cerr << file << ":" << line << ": ";
}

template <class Got, class Expected>
void check_equal(const char* file, int line, const char* text, const Got& got,
                 const Expected& expected) {
  if (!(got == expected)) {
    fail(file, line) << text << ": got " << got << ", expected " << expected << "\n";
  }
}

inline int run_all() {
  int failed_tests = 0;
  for (const Test& test : tests()) {
    const int before = failures();
    try {
      test.run();
    } catch (const std::exception& error) {
      fail(test.name, 0) << "threw " << error.what() << "\n";
    }
    if (failures() != before) ++failed_tests;
    std::printf("%-6s %s\n", failures() == before ? "passed" : "FAILED", test.name);
  }
  std::printf("%zu passed, %d failed\n", tests().size() - static_cast<std::size_t>(failed_tests),
              failed_tests);
  return failed_tests == 0 ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                           \
  static void test_##name();                                 \
  static const check::Registration name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition) \
  if (!(condition)) check::fail(__FILE__, __LINE__) << "not true: " #condition "\n"

#define CHECK_EQUAL(got, expected) \
  check::check_equal(__FILE__, __LINE__, #got " == " #expected, (got), (expected))

#define CHECK_THROWS(expression, Exception)                                                       \
  do {                                                                                            \
    bool threw = false;                                                                           \
    try {                                                                                         \
      static_cast<void>(expression);                                                              \
    } catch (const Exception&) {                                                                  \
      threw = true;                                                                               \
    }                                                                                             \
    if (!threw) check::fail(__FILE__, __LINE__) << #expression " did not throw " #Exception "\n"; \
  } while (false)

#define TEST_MAIN()          \
  int main() {               \
    return check::run_all(); \
  }
