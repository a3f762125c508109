// SPDX-License-Identifier: MIT
#include "linear_regions/exact_patterns.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "linear_regions/region_maps.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 28;  // of memory for answers

bool all_vanish(const Located& found, std::span<const Doubts::Doubt> doubts) {
  return found.on.empty() && std::ranges::all_of(doubts, [&](const Doubts::Doubt& doubt) {
           return std::ranges::any_of(found.vanishing, [&](const FacetLabel& label) {
             return label.bit == doubt.bit &&
                    (label.from == doubt.place || label.to == doubt.place);
           });
         });
}

}  // namespace

ExactPatterns::ExactPatterns(std::shared_ptr<const Tape> tape, std::optional<DomainFrame> domain)
    : tape_(std::move(tape)), domain_(std::move(domain)), window_bits_(tape_->pattern_bits(), 1) {
  for (const Op& op : tape_->ops())
    if (op.kind == OpKind::kMax && op.max.bits > 0)
      for (std::size_t w = 0; w + 1 < op.max.start.size(); ++w)
        window_bits_[static_cast<std::size_t>(op.pattern_bit[w])] = op.max.bits;
}

// The proved bits, then the doubts.
std::string ExactPatterns::key_of(const std::uint64_t* pattern,
                                  std::span<const Doubts::Doubt> doubts) const {
  std::vector<std::uint64_t> proved(pattern, pattern + tape_->pattern_words());
  std::string key;
  for (const auto& doubt : doubts) {
    const std::int32_t count = window_bits_[static_cast<std::size_t>(doubt.bit)];
    for (std::int32_t b = doubt.bit; b < doubt.bit + count; ++b)
      proved[static_cast<std::size_t>(b) >> 6] &= ~(std::uint64_t{1} << (b & 63));
  }
  const std::size_t words = proved.size() * sizeof(std::uint64_t);
  key.resize(words + doubts.size() * 2 * sizeof(std::int32_t));
  std::copy_n(reinterpret_cast<const char*>(proved.data()), words, key.data());
  char* to = key.data() + words;
  for (const auto& doubt : doubts) {
    const std::int32_t label[2] = {doubt.bit, doubt.place};
    to = std::copy_n(reinterpret_cast<const char*>(label), sizeof label, to);
  }
  return key;
}

bool ExactPatterns::recall(const std::string& key, std::uint64_t* pattern) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = known_.find(key);
  if (found == known_.end()) return false;
  std::copy(found->second.begin(), found->second.end(), pattern);
  return true;
}

void ExactPatterns::remember(std::string key, const std::vector<std::uint64_t>& pattern) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (bytes_ > kMostBytes) return;
  bytes_ += key.size() + pattern.size() * sizeof(std::uint64_t) + 64;
  known_.emplace(std::move(key), pattern);
}

ExactPatterns::Settled ExactPatterns::settle(std::span<const double> points,
                                             std::span<std::uint64_t> patterns,
                                             std::span<const Doubts::Doubt> doubts,
                                             const std::function<bool()>& keep_going) {
  const std::size_t n_in = tape_->n_in(), words = tape_->pattern_words();
  Settled settled;
  for (std::size_t i = 0; i < doubts.size();) {
    const auto row = static_cast<std::size_t>(doubts[i].row);
    std::size_t stop = i + 1;
    while (stop < doubts.size() && doubts[stop].row == doubts[i].row) ++stop;
    if ((row + 1) * n_in > points.size() || (row + 1) * words > patterns.size())
      throw std::invalid_argument("a doubt names a point that is not there");
    std::uint64_t* pattern = patterns.data() + row * words;
    const auto open = doubts.subspan(i, stop - i);
    std::string key = domain_ ? key_of(pattern, open) : std::string();
    i = stop;
    if (domain_ && recall(key, pattern)) continue;
    if (!keep_going()) return {settled.points, true};
    const Located found =
        pattern_at(*tape_, domain_ ? &*domain_ : nullptr, points.subspan(row * n_in, n_in),
                   {pattern, words}, keep_going);
    if (found.stopped) return {settled.points, true};
    std::copy(found.pattern.begin(), found.pattern.end(), pattern);
    ++settled.points;
    if (domain_ && all_vanish(found, open)) remember(std::move(key), found.pattern);
  }
  return settled;
}

}  // namespace linear_regions
