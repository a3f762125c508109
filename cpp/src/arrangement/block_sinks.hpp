// SPDX-License-Identifier: MIT
// What keeps chambers in columns: a block of a listing, and the blocks of a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "arrangement/chamber_sink.hpp"
#include "arrangement/reduction.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/sign_tree.hpp"

namespace linear_regions::arrangement {

class BlockSink : public ChamberSink {
 public:
  BlockSink(ChamberBlock& block, const Reduction& reduction, bool points)
      : block_(block), reduction_(reduction), points_(points), point_(reduction.d) {
    block_.words = word_count(reduction.n);
  }

  void chamber(Chamber& chamber, bool opposite) override {
    const std::size_t at = block_.signs.size();
    block_.signs.resize(at + block_.words);
    reduction_.translate(chamber.positive(), opposite, block_.signs.data() + at);
    if (points_) add_point(chamber, opposite, block_.signs.data() + at);
    ++block_.n;
  }

 private:
  // The witness, then a point well inside; where neither rounds to a double inside, the latter
  // exactly.
  void add_point(Chamber& chamber, bool opposite, const Word* signs) {
    if (!try_point(chamber.witness(), opposite, signs)) {
      const std::shared_ptr<const ExactPoint> centre = chamber.exact_centre();
      std::vector<double> y(reduction_.rows.stride);
      ExactLp::round(*centre, 1, y.data());
      if (!try_point(y.data(), opposite, signs)) {
        block_.exact_points.emplace_back(block_.n,
                                         reduction_.exact_affine_point(*centre, opposite));
        std::fill(point_.begin(), point_.end(), std::numeric_limits<double>::quiet_NaN());
      }
    }
    block_.points.insert(block_.points.end(), point_.begin(), point_.end());
  }

  // Points of central arrangements may have to go far from the common point.
  bool try_point(const double* y, bool opposite, const Word* signs) {
    for (const double stretch : {1.0, 0x1p10, 0x1p30, 0x1p60}) {
      reduction_.affine_point(y, opposite, stretch, point_.data());
      if (reduction_.has_signs(point_.data(), signs)) return true;
      if (!reduction_.central) break;
    }
    return false;
  }

  ChamberBlock& block_;
  const Reduction& reduction_;
  bool points_;
  std::vector<double> point_;
};

// Hands over a block whenever it is full.
class StreamSink : public ChamberSink {
 public:
  StreamSink(const Reduction& reduction, TreeEngine engine, bool points, std::size_t size,
             RunControl& control, const std::function<bool(ChamberBlock&&)>& out)
      : inner_(block_, reduction, points),
        words_(word_count(reduction.n)),
        engine_(engine),
        size_(size),
        control_(control),
        out_(out) {
    block_.engine = engine;
  }

  void chamber(Chamber& chamber, bool opposite) override {
    if (delivered_ + block_.n >= control_.limit) {  // the second one of a pair
      dropped_ = true;
      return;
    }
    inner_.chamber(chamber, opposite);
    if (block_.n >= size_) flush();
  }
  bool delivered_all() const { return !dropped_ && block_.n == 0; }
  std::uint64_t delivered() const { return delivered_; }
  bool dropped() const { return dropped_; }  // there was more than the limit
  bool refused() const { return !wanted_; }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = ChamberBlock{};
    block_.words = words_;
    block_.engine = engine_;
  }

 private:
  bool wanted_ = true;  // a reader that said no is not asked again
  ChamberBlock block_;
  BlockSink inner_;
  std::size_t words_;
  TreeEngine engine_;
  std::size_t size_;
  RunControl& control_;
  const std::function<bool(ChamberBlock&&)>& out_;
  std::uint64_t delivered_ = 0;
  bool dropped_ = false;
};

// Cuts blocks that come in any sizes into blocks of one size and hands these over, up to a limit.
class BlockCutter {
 public:
  BlockCutter(TreeEngine engine, std::size_t words, std::size_t size, std::uint64_t limit,
              const std::function<bool(ChamberBlock&&)>& out)
      : engine_(engine), words_(words), size_(size), limit_(limit), out_(out) {
    begin();
  }

  // False if the reader wants no more.
  bool add(const ChamberBlock& block) {
    for (std::size_t from = 0; from < block.n && wanted_;) {
      const std::uint64_t room = std::min<std::uint64_t>(limit_ - delivered_, size_) - block_.n;
      if (room == 0) {
        dropped_ = true;
        break;
      }
      const std::size_t to = from + std::min<std::uint64_t>(room, block.n - from);
      take(block, from, to);
      from = to;
      if (block_.n == size_ || full()) flush();
    }
    return wanted_;
  }
  // What is left, as the last block.
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    begin();
  }
  bool full() const { return delivered_ + block_.n == limit_; }
  bool dropped() const { return dropped_; }  // there was more than the limit
  bool refused() const { return !wanted_; }
  std::uint64_t delivered() const { return delivered_; }

 private:
  void begin() {
    block_ = ChamberBlock{};
    block_.words = words_;
    block_.engine = engine_;
  }
  void take(const ChamberBlock& block, std::size_t from, std::size_t to) {
    const auto copy = [&](const auto& values, auto& into) {
      const std::size_t each = values.size() / block.n;
      into.insert(into.end(), values.begin() + static_cast<std::ptrdiff_t>(from * each),
                  values.begin() + static_cast<std::ptrdiff_t>(to * each));
    };
    copy(block.signs, block_.signs);
    copy(block.points, block_.points);
    for (const auto& [at, text] : block.exact_points)
      if (from <= at && at < to) block_.exact_points.emplace_back(block_.n + at - from, text);
    block_.n += to - from;
  }

  const TreeEngine engine_;
  const std::size_t words_, size_;
  const std::uint64_t limit_;
  const std::function<bool(ChamberBlock&&)>& out_;
  ChamberBlock block_;
  std::uint64_t delivered_ = 0;
  bool wanted_ = true, dropped_ = false;
};

}  // namespace linear_regions::arrangement
