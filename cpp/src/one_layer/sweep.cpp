// SPDX-License-Identifier: MIT
#include "one_layer/sweep.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "linear_regions/hash.hpp"

namespace linear_regions::one_layer {
namespace {

constexpr std::uint32_t kNone = ~0u;

bool has(const std::vector<std::uint64_t>& words, std::size_t i) {
  return (words[i / 64] >> (i % 64) & 1) != 0;
}

void put(std::vector<std::uint64_t>& words, std::size_t i) {
  words[i / 64] |= std::uint64_t{1} << (i % 64);
}

void check(const WindowLayer& layer) {
  if (layer.windows.empty() || layer.channels == 0)
    throw std::invalid_argument("a layer needs a window and a channel");
  for (const auto& window : layer.windows) {
    if (window.empty()) throw std::invalid_argument("a window sees nothing");
    for (const std::uint32_t entry : window)
      if (entry >= layer.n_inputs) throw std::invalid_argument("a window leaves the input");
  }
  for (const auto& image : layer.symmetries)
    if (image.size() != layer.n_inputs)
      throw std::invalid_argument("a symmetry must permute the entries");
}

}  // namespace

std::size_t Sweep::WordsHash::operator()(const Words& words) const {
  return static_cast<std::size_t>(hash_words(words.data(), words.size()));
}

Sweep::Sweep(const WindowLayer& layer) : layer_(layer) {
  check(layer);
  const std::size_t n = layer.windows.size();
  first_seen_.assign(layer.n_inputs, n);
  last_seen_.assign(layer.n_inputs, 0);
  std::map<std::vector<std::uint32_t>, std::size_t> kind;  // windows that see the same
  std::vector<std::size_t> kinds;
  for (std::size_t j = 0; j < n; ++j) {
    std::vector<std::uint32_t> sorted = layer.windows[j];
    for (const std::uint32_t entry : sorted) {
      first_seen_[entry] = std::min(first_seen_[entry], j);
      last_seen_[entry] = std::max(last_seen_[entry], j);
    }
    std::sort(sorted.begin(), sorted.end());
    kinds.push_back(kind.emplace(std::move(sorted), kind.size()).first->second);
  }
  for (const auto& window : layer.windows) {
    std::size_t first = n;
    for (const std::uint32_t entry : window) first = std::min(first, first_seen_[entry]);
    first_touched_.push_back(first);
  }
  // A symmetry keeps the future after m windows exactly if it keeps the first m as a multiset.
  for (const auto& image : layer.symmetries) {
    std::vector<std::int64_t> surplus(kind.size(), 0);
    std::size_t unequal = 0;
    const auto change = [&](std::size_t which, std::int64_t by) {
      unequal -= surplus[which] != 0;
      surplus[which] += by;
      unequal += surplus[which] != 0;
    };
    std::vector<char> kept(n + 1, 1);
    for (std::size_t j = 0; j < n; ++j) {
      std::vector<std::uint32_t> mapped;
      for (const std::uint32_t entry : layer.windows[j]) mapped.push_back(image[entry]);
      std::sort(mapped.begin(), mapped.end());
      const auto found = kind.find(mapped);
      if (found == kind.end())
        throw std::invalid_argument("a symmetry must map windows to windows");
      change(kinds[j], 1);
      change(found->second, -1);
      kept[j + 1] = unequal == 0;
    }
    kept_.push_back(std::move(kept));
  }
  local_.assign(layer.n_inputs, kNone);
  family_.sets.push_back({});
  family_.number.emplace(Words{}, 0);
}

std::uint64_t Sweep::largest_value() const {
  std::uint64_t largest = 0;
  std::vector<std::int64_t> change(layer_.windows.size() + 2, 0);
  for (std::uint32_t entry = 0; entry < layer_.n_inputs; ++entry) {
    if (first_seen_[entry] == layer_.windows.size()) continue;
    ++change[first_seen_[entry]];
    --change[last_seen_[entry] + 1];
  }
  std::int64_t open = 0;
  for (std::size_t m = 0; m < layer_.windows.size(); ++m) {
    open += change[m];
    largest = std::max(largest, static_cast<std::uint64_t>(open) * layer_.channels);
  }
  return largest;
}

bool Sweep::build_family(std::size_t m, Family& family) {
  const std::size_t n = layer_.windows.size();
  std::vector<const std::vector<std::uint32_t>*> active;
  for (std::size_t j = m; j < n; ++j)
    if (first_touched_[j] < m) active.push_back(&layer_.windows[j]);
  std::vector<std::uint32_t> local(layer_.n_inputs, kNone);
  for (const auto* window : active)
    for (const std::uint32_t entry : *window)
      if (first_seen_[entry] < m && local[entry] == kNone) {
        local[entry] = static_cast<std::uint32_t>(family.entries.size());
        family.entries.push_back(entry);
      }
  const std::size_t words = (family.entries.size() + 63) / 64;
  family.sets.push_back(Words(words, 0));
  family.number.emplace(family.sets[0], 0);
  for (const auto* window : active) {
    Words trace(words, 0);
    for (const std::uint32_t entry : *window)
      if (local[entry] != kNone) put(trace, local[entry]);
    const std::size_t known = family.sets.size();
    for (std::size_t i = 0; i < known; ++i) {
      Words grown = family.sets[i];
      for (std::size_t w = 0; w < words; ++w) grown[w] |= trace[w];
      const auto next = static_cast<std::uint32_t>(family.sets.size());
      if (!family.number.emplace(grown, next).second) continue;
      family.sets.push_back(std::move(grown));
      if (family.sets.size() > kMaxSets) return false;
    }
  }
  return true;
}

Read Sweep::read(const Family& next, const Words& set, const std::vector<std::uint32_t>* window) {
  Words cut((family_.entries.size() + 63) / 64, 0);
  std::uint32_t added = 0;
  for (std::size_t i = 0; i < next.entries.size(); ++i) {
    if (!has(set, i)) continue;
    if (local_[next.entries[i]] != kNone)
      put(cut, local_[next.entries[i]]);
    else
      ++added;
  }
  if (window != nullptr) {
    for (const std::uint32_t entry : *window) {
      if (local_[entry] != kNone) {
        put(cut, local_[entry]);
        continue;
      }
      // Not seen before: counted above where it is in the set.
      const auto place = std::find(next.entries.begin(), next.entries.end(), entry);
      if (place == next.entries.end() ||
          !has(set, static_cast<std::size_t>(place - next.entries.begin())))
        ++added;
    }
  }
  return {family_.number.at(cut), added * layer_.channels};
}

std::vector<std::vector<std::uint32_t>> Sweep::mirrors(std::size_t m, const Family& family) const {
  std::vector<std::vector<std::uint32_t>> found;
  std::vector<std::uint32_t> place(layer_.n_inputs, kNone);
  for (std::size_t i = 0; i < family.entries.size(); ++i)
    place[family.entries[i]] = static_cast<std::uint32_t>(i);
  for (std::size_t s = 0; s < layer_.symmetries.size(); ++s) {
    if (kept_[s][m] == 0) continue;
    std::vector<std::uint32_t> numbers;
    for (const Words& set : family.sets) {
      Words image(set.size(), 0);
      for (std::size_t i = 0; i < family.entries.size(); ++i)
        if (has(set, i)) put(image, place[layer_.symmetries[s][family.entries[i]]]);
      numbers.push_back(family.number.at(image));
    }
    found.push_back(std::move(numbers));
  }
  return found;
}

std::optional<Step> Sweep::step(std::size_t m) {
  Family next;
  if (!build_family(m + 1, next)) return std::nullopt;
  for (std::size_t i = 0; i < family_.entries.size(); ++i)
    local_[family_.entries[i]] = static_cast<std::uint32_t>(i);
  Step step;
  for (const Words& set : next.sets) {
    step.without.push_back(read(next, set, nullptr));
    step.with.push_back(read(next, set, &layer_.windows[m]));
  }
  for (const std::uint32_t entry : family_.entries) local_[entry] = kNone;
  step.mirrors = mirrors(m + 1, next);
  family_ = std::move(next);
  return step;
}

}  // namespace linear_regions::one_layer
