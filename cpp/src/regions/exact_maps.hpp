// SPDX-License-Identifier: MIT
// The affine map of the network for a pattern, in integers of any size.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

class ExactMaps {
 public:
  ExactMaps(const Tape& tape, const DomainFrame& domain, std::function<bool()> keep_going);
  ~ExactMaps();
  ExactMaps(const ExactMaps&) = delete;
  ExactMaps& operator=(const ExactMaps&) = delete;

  // Equal for two patterns exactly where their maps are equal. Throws Stopped.
  std::string key(const std::uint64_t* pattern);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions
