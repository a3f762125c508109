// SPDX-License-Identifier: MIT
// Which regions have the same affine map. First a number per region: a fixed combination of all
// coefficients, with an error bound; intervals that do not overlap prove maps different, and
// sorting them leaves clusters of candidates, in ordinary networks hardly any. A cluster loses the
// regions whose relevant patterns are equal (one map, proved), then is split by each coefficient
// on its own, and what is then left is decided exactly.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "linear_regions/hash.hpp"
#include "linear_regions/region_maps.hpp"
#include "regions/exact_maps.hpp"
#include "regions/map_scan.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kLook = 256;  // regions between two looks at keep_going

struct Interval {
  double low, high;
  std::int64_t region;
};

// Splits a range of intervals into runs that overlap; `use` gets every run.
template <typename Use>
void split_runs(std::vector<Interval>& items, std::size_t first, std::size_t last, Use&& use) {
  std::sort(items.begin() + static_cast<std::ptrdiff_t>(first),
            items.begin() + static_cast<std::ptrdiff_t>(last),
            [](const Interval& a, const Interval& b) {
              return a.low != b.low ? a.low < b.low : a.region < b.region;
            });
  for (std::size_t begin = first; begin < last;) {
    double reach = items[begin].high;
    std::size_t end = begin + 1;
    for (; end < last && items[end].low <= reach; ++end) reach = std::max(reach, items[end].high);
    use(begin, end);
    begin = end;
  }
}

Interval around(double value, double error, std::int64_t region) {
  // A difference and a sum round by half a unit in the last place: go one further.
  if (!(error < 1e300) || !std::isfinite(value)) return {-kInfinity, kInfinity, region};
  if (error == 0.0) return {value, value, region};
  return {std::nextafter(value - error, -kInfinity), std::nextafter(value + error, kInfinity),
          region};
}

class Classifier {
 public:
  Classifier(const Tape& tape, const DomainFrame& domain, std::span<const std::uint64_t> patterns,
             std::size_t n, const std::function<bool()>& keep_going)
      : tape_(tape),
        patterns_(patterns),
        n_(n),
        keep_going_(keep_going),
        scan_(tape, domain),
        exact_(tape, domain, keep_going) {
    result_.of.assign(n, -1);
  }

  MapClasses run() {
    std::vector<Interval> items;
    try {
      items = fingerprints();
      split_runs(items, 0, items.size(),
                 [&](std::size_t begin, std::size_t end) { cluster(items, begin, end); });
    } catch (const Stopped&) {
      result_.complete = false;
      // What is left counts as one class with its cluster: a lower bound.
      for (auto& c : result_.of)
        if (c < 0) c = next_;
    }
    renumber();
    return std::move(result_);
  }

 private:
  const std::uint64_t* pattern(std::int64_t region) const {
    return patterns_.data() + static_cast<std::size_t>(region) * tape_.pattern_words();
  }

  void look() {
    if (++looks_ % kLook == 0 && keep_going_ && !keep_going_()) throw Stopped{};
  }

  std::vector<Interval> fingerprints() {
    std::vector<Interval> items;
    items.reserve(n_);
    const std::size_t outputs = tape_.slots().back().size, width = scan_.width();
    std::vector<double> factor(outputs * width);
    for (std::size_t i = 0; i < factor.size(); ++i)
      factor[i] = 1.0 + static_cast<double>(mix(i + 1) >> 11) * 0x1p-53;
    const double gamma = 1.02 * 0x1p-53 * static_cast<double>(factor.size() + 4);
    for (std::size_t r = 0; r < n_; ++r) {
      look();
      const auto region = static_cast<std::int64_t>(r);
      if (!scan_.usable()) {
        items.push_back({-kInfinity, kInfinity, region});
        continue;
      }
      scan_.move_to(pattern(region));
      double sum = 0.0, size = 0.0, error = 0.0;
      for (std::size_t i = 0; i < outputs; ++i)
        for (std::size_t k = 0; k < width; ++k) {
          const double term = factor[i * width + k] * scan_.value(i, k);
          sum += term;
          size += std::fabs(term);
          error += factor[i * width + k] * scan_.error(i);
        }
      items.push_back(around(sum, (error + gamma * size) * 1.000001 + 0x1p-600, region));
    }
    return items;
  }

  void assign(std::int64_t region, std::int64_t c) {
    result_.of[static_cast<std::size_t>(region)] = c;
  }

  void cluster(std::vector<Interval>& items, std::size_t begin, std::size_t end) {
    if (end - begin == 1) {
      assign(items[begin].region, next_++);
      return;
    }
    // One representative for every relevant pattern; equal ones share its class in the end.
    const std::size_t words = tape_.pattern_words();
    std::vector<std::int64_t> members;
    for (std::size_t i = begin; i < end; ++i) members.push_back(items[i].region);
    std::sort(members.begin(), members.end());  // depth-first order: neighbours share layers
    std::unordered_map<std::string, std::int64_t> first;
    std::vector<std::int64_t> representative(members.size()), chosen;
    std::vector<std::uint64_t> key(2 * words);
    for (std::size_t m = 0; m < members.size(); ++m) {
      look();
      relevant_bits(tape_, pattern(members[m]), key.data());
      for (std::size_t w = 0; w < words; ++w) key[words + w] = key[w] & pattern(members[m])[w];
      const std::string text(reinterpret_cast<const char*>(key.data()),
                             key.size() * sizeof(std::uint64_t));
      const auto [at, fresh] = first.emplace(text, members[m]);
      representative[m] = at->second;
      if (fresh) chosen.push_back(members[m]);
    }
    by_coefficients(chosen);
    for (std::size_t m = 0; m < members.size(); ++m)
      assign(members[m], result_.of[static_cast<std::size_t>(representative[m])]);
  }

  // Gives every region of the list (ascending) a class.
  void by_coefficients(const std::vector<std::int64_t>& regions) {
    if (regions.size() == 1) {
      assign(regions[0], next_++);
      return;
    }
    if (!scan_.usable()) {
      by_exact_maps(regions);
      return;
    }
    const std::size_t outputs = tape_.slots().back().size, width = scan_.width();
    const std::size_t each = outputs * (width + 1);
    std::vector<double> maps;
    maps.reserve(each * regions.size());
    for (std::int64_t region : regions) {
      look();
      scan_.move_to(pattern(region));
      for (std::size_t i = 0; i < outputs; ++i) {
        for (std::size_t k = 0; k < width; ++k) maps.push_back(scan_.value(i, k));
        maps.push_back(scan_.error(i));
      }
    }
    // Numbers in the list, not of regions; groups by offsets.
    std::vector<Interval> items;
    for (std::size_t i = 0; i < regions.size(); ++i)
      items.push_back({0, 0, static_cast<std::int64_t>(i)});
    std::vector<std::size_t> starts = {0, items.size()}, finer;
    for (std::size_t i = 0; i < outputs; ++i)
      for (std::size_t k = 0; k < width; ++k) {
        for (Interval& item : items) {
          const double* map =
              maps.data() + static_cast<std::size_t>(item.region) * each + i * (width + 1);
          item = around(map[k], map[width], item.region);
        }
        finer = {0};
        for (std::size_t g = 0; g + 1 < starts.size(); ++g)
          split_runs(items, starts[g], starts[g + 1],
                     [&](std::size_t, std::size_t end) { finer.push_back(end); });
        starts = finer;
      }
    for (std::size_t g = 0; g + 1 < starts.size(); ++g) {
      std::vector<std::int64_t> group;
      bool exact = true;
      for (std::size_t m = starts[g]; m < starts[g + 1]; ++m) {
        const auto number = static_cast<std::size_t>(items[m].region);
        group.push_back(regions[number]);
        for (std::size_t i = 0; i < outputs; ++i)
          exact = exact && maps[number * each + i * (width + 1) + width] == 0.0;
      }
      if (exact || group.size() == 1) {  // without errors, overlapping means equal
        for (std::int64_t region : group) assign(region, next_);
        ++next_;
        continue;
      }
      std::sort(group.begin(), group.end());
      by_exact_maps(group);
    }
  }

  void by_exact_maps(const std::vector<std::int64_t>& regions) {
    std::unordered_map<std::string, std::int64_t> found;
    for (std::int64_t region : regions) {
      ++result_.exact_maps;
      const auto [at, fresh] = found.emplace(exact_.key(pattern(region)), next_);
      if (fresh) ++next_;
      assign(region, at->second);
    }
  }

  void renumber() {
    std::unordered_map<std::int64_t, std::int64_t> number;
    for (auto& c : result_.of)
      c = number.emplace(c, static_cast<std::int64_t>(number.size())).first->second;
    result_.n = static_cast<std::int64_t>(number.size());
  }

  const Tape& tape_;
  std::span<const std::uint64_t> patterns_;
  std::size_t n_;
  const std::function<bool()>& keep_going_;
  MapScan scan_;
  ExactMaps exact_;
  MapClasses result_;
  std::int64_t next_ = 0;
  std::size_t looks_ = 0;
};

}  // namespace

MapClasses map_classes(const Tape& tape, const DomainFrame& domain,
                       std::span<const std::uint64_t> patterns, std::size_t n,
                       const std::function<bool()>& keep_going) {
  if (patterns.size() != n * tape.pattern_words())
    throw std::invalid_argument("the patterns have another size than the network needs");
  return Classifier(tape, domain, patterns, n, keep_going).run();
}

std::vector<std::int64_t> components(std::size_t n, std::span<const std::int64_t> i,
                                     std::span<const std::int64_t> j) {
  std::vector<std::int64_t> parent(n);
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](std::int64_t a) {
    while (parent[static_cast<std::size_t>(a)] != a) {
      auto& up = parent[static_cast<std::size_t>(a)];
      up = parent[static_cast<std::size_t>(up)];
      a = up;
    }
    return a;
  };
  for (std::size_t e = 0; e < i.size(); ++e) {
    const std::int64_t a = root(i[e]), b = root(j[e]);
    // The smaller number stays the root, so roots come before their members.
    if (a != b) parent[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  std::vector<std::int64_t> number(n);
  std::int64_t next = 0;
  for (std::size_t a = 0; a < n; ++a) {
    const std::int64_t r = root(static_cast<std::int64_t>(a));
    number[a] = r == static_cast<std::int64_t>(a) ? next++ : number[static_cast<std::size_t>(r)];
  }
  return number;
}

}  // namespace linear_regions
