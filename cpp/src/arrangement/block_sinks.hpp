// SPDX-License-Identifier: MIT
// Sinks that keep chambers in columns: a block of a listing, and the blocks of a stream.
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

}  // namespace linear_regions::arrangement
