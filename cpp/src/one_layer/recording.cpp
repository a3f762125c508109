// SPDX-License-Identifier: MIT
#include "one_layer/recording.hpp"

#include <algorithm>

namespace linear_regions::one_layer {

std::size_t Recording::number_of(const Step& step) {
  // The latest are the likeliest: a row of windows back.
  const auto found = std::find(kinds_.rbegin(), kinds_.rend(), step);
  if (found != kinds_.rend()) return static_cast<std::size_t>(kinds_.rend() - found) - 1;
  kinds_.push_back(step);
  return kinds_.size() - 1;
}

const Transitions* Recording::replay(std::size_t step) {
  const auto found = steps_.find({now_, step});
  if (found == steps_.end()) return nullptr;
  played_.push_back(&found->second);
  now_ = found->second.next;
  replayed_ += found->second.transitions.terms.size();
  return &found->second.transitions;
}

void Recording::record(std::size_t step, StateMap found, const std::vector<Term>& terms,
                       std::vector<std::uint32_t> to) {
  std::optional<std::size_t> next = known(step, found, to);
  if (!next) next = keep(std::move(found));
  last_set_[step] = *next;
  const auto entry = steps_.emplace(
      std::pair{now_, step}, Recorded{Transitions::sorted(terms, to, sets_[*next]->size()), *next});
  const Recorded& recorded = entry.first->second;
  recorded_ += terms.size();
  bytes_ += recorded.transitions.bytes();
  played_.push_back(&recorded);
  now_ = *next;
}

std::size_t Recording::keep(StateMap states) {
  bytes_ += states.bytes();
  sets_.push_back(std::make_unique<StateMap>(std::move(states)));
  return sets_.size() - 1;
}

std::optional<std::size_t> Recording::known(std::size_t step, StateMap& found,
                                            std::vector<std::uint32_t>& to) const {
  const auto last = last_set_.find(step);
  if (last == last_set_.end()) return std::nullopt;
  StateMap& before = *sets_[last->second];
  const std::vector<std::uint32_t> image = found.numbers_in(before);
  if (image.empty()) return std::nullopt;
  for (std::uint32_t& target : to) target = image[target];
  return last->second;
}

}  // namespace linear_regions::one_layer
