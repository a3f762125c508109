// SPDX-License-Identifier: MIT
//
// Reads tests/data/sign_hash.json, the golden values that every implementation must reproduce.
// Not a JSON parser: it knows this one file, which linear_regions.reference.packing writes with
// all values as strings, and fails loudly on anything else.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace golden {

struct Case {
  std::string name;
  std::vector<bool> signs;
  std::vector<std::uint64_t> words;
  std::uint64_t hash_low = 0;
  std::uint64_t hash_high = 0;
};

// All strings between quotation marks, in order; the file uses no escapes.
inline std::vector<std::string> strings_of(const std::string& text) {
  std::vector<std::string> found;
  std::size_t at = 0;
  while ((at = text.find('"', at)) != std::string::npos) {
    const std::size_t end = text.find('"', at + 1);
    if (end == std::string::npos) throw std::runtime_error("golden file: open string");
    found.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return found;
}

inline std::uint64_t word_of(const std::string& text) {
  if (text.size() != 18 || !text.starts_with("0x")) {
    throw std::runtime_error("golden file: not a word: " + text);
  }
  return std::stoull(text, nullptr, 16);
}

// Keys come in a fixed order: name, signs, words, hash_low, hash_high.
inline std::vector<Case> read_cases(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::ostringstream text;
  text << file.rdbuf();
  const std::vector<std::string> strings = strings_of(text.str());
  std::vector<Case> cases;
  std::string key;
  for (const std::string& string : strings) {
    const bool is_key = string == "name" || string == "signs" || string == "words" ||
                        string == "hash_low" || string == "hash_high" || string == "cases" ||
                        string == "format_version";
    if (is_key) {
      key = string;
    } else if (key == "format_version") {
      if (string != "1") throw std::runtime_error("golden file: format version " + string);
    } else if (key == "name") {
      cases.push_back({});
      cases.back().name = string;
    } else if (cases.empty()) {
      throw std::runtime_error("golden file: value before the first case");
    } else if (key == "signs") {
      for (const char sign : string) cases.back().signs.push_back(sign == '1');
    } else if (key == "words") {
      cases.back().words.push_back(word_of(string));
    } else if (key == "hash_low") {
      cases.back().hash_low = word_of(string);
    } else if (key == "hash_high") {
      cases.back().hash_high = word_of(string);
    }
  }
  if (cases.empty()) throw std::runtime_error("golden file: no cases in " + path);
  return cases;
}

}  // namespace golden
