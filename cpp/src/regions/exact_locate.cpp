// SPDX-License-Identifier: MIT
// Which region holds a point. Split by split: the values at the point are affine maps over a domain
// of dimension zero, so the scan of maps bounds their errors, and exact rows decide what is left. A
// unit whose value is on its breakpoint either has that value on the whole cell, and is on its
// lower piece there, or its hyperplane passes through the point and cuts the cell.
#include <cmath>
#include <memory>
#include <stdexcept>

#include "exact_algebra.hpp"
#include "exact_rows.hpp"
#include "exact_signs.hpp"
#include "linear_regions/region_maps.hpp"
#include "regions/map_scan.hpp"
#include "regions/pattern_path.hpp"

namespace linear_regions {
namespace {

int sign_of(const Integer& value) {
  return (value > 0) - (value < 0);
}

class Locator {
 public:
  // Without a domain no unit is found to vanish: all that are zero at the point are on it.
  Locator(const Tape& tape, const DomainFrame* domain, const DomainFrame& point,
          std::span<const std::uint64_t> guess, const std::function<bool()>& keep_going)
      : tape_(tape),
        domain_(domain),
        keep_going_(keep_going),
        scan_(tape, point),
        path_(tape),
        at_(tape, path_.path(), columns_of(point)) {
    found_.pattern.assign(guess.begin(), guess.end());
    at_.watch(keep_going);
  }

  // `past_facets`: the later splits are decided too, where the point is on facets of earlier ones.
  Located run(bool past_facets) {
    for (std::size_t s = 0; s < tape_.splits().size() && (past_facets || found_.on.empty()); ++s) {
      scan_.move_to(found_.pattern.data());
      moved_ = false;
      const Op& op = tape_.split(static_cast<int>(s));
      if (op.kind == OpKind::kPointwise)
        pointwise(static_cast<std::int32_t>(s), op);
      else if (op.max.bits > 0)
        max(static_cast<std::int32_t>(s), op);
      else
        continue;
      for (const auto& [bit, count, code] : changes_) set(bit, count, code);
      changes_.clear();
    }
    return std::move(found_);
  }

 private:
  // Sign of `value` +- `error`, or of the line at the point where that leaves it open.
  int sign(double value, double error, const Line& line) {
    if (std::fabs(value) > error) return value > 0 ? 1 : -1;
    if (error == 0.0) return 0;
    ++found_.exact;
    exact_ready();
    return sign_of(at_.line(line).back());
  }

  void exact_ready() {
    if (!moved_) path_.move_to(found_.pattern.data());
    moved_ = true;
  }

  // Is the line's row zero on the whole cell? It is zero at the point.
  bool vanishes(const Line& line, const Op& op) {
    if (domain_ == nullptr) return false;
    if (whole_ == nullptr) whole_ = std::make_unique<MapScan>(tape_, *domain_);
    whole_->move_to(found_.pattern.data());
    const int slot = op.inputs[0];
    bool zero = whole_->usable();
    if (whole_->usable()) {
      auto a = static_cast<std::size_t>(line.first);
      double error = 0.0;
      if (line.kind == Line::Kind::kCut)
        a = static_cast<std::size_t>(op.pointwise.unit_of_cut[line.first]);
      else
        error = whole_->error(slot, static_cast<std::size_t>(line.second));
      error += whole_->error(slot, a);
      // With the linear part zero and the value zero at the point, the row is zero.
      for (std::size_t k = 0; k + 1 < whole_->width(); ++k) {
        const double other = line.kind == Line::Kind::kCut
                                 ? 0.0
                                 : whole_->value(slot, static_cast<std::size_t>(line.second), k);
        const double value = whole_->value(slot, a, k);
        if (std::fabs(value - other) >
            1.000001 * error + 0x1p-52 * (std::fabs(value) + std::fabs(other)) * (other != 0.0))
          return false;
        zero = zero && value == other;
      }
      if (zero && error == 0.0) return true;
    }
    ++found_.exact;
    exact_ready();
    if (around_ == nullptr) {
      around_ = std::make_unique<ExactRows>(tape_, path_.path(), columns_of(*domain_));
      around_->watch(keep_going_);
    }
    const Vector row = around_->line(line);
    for (std::size_t k = 0; k + 1 < row.size(); ++k)
      if (row[k] != 0) return false;
    return true;
  }

  void pointwise(std::int32_t split, const Op& op) {
    const Pointwise& p = op.pointwise;
    const int slot = op.inputs[0];
    for (std::size_t q = 0; q < p.unit_of_cut.size(); ++q) {
      const auto unit = static_cast<std::size_t>(p.unit_of_cut[q]);
      const double at = p.tables[static_cast<std::size_t>(p.table_of[unit])]
                            .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[q])];
      const double value = scan_.value(slot, unit, 0), difference = value - at;
      const double error = scan_.usable() ? scan_.error(slot, unit) : INFINITY;
      // A difference of doubles has the right sign; beside an error it also rounds.
      const double bound = error == 0.0 ? 0.0 : 1.000001 * error + 0x1p-52 * std::fabs(difference);
      const Line line{Line::Kind::kCut, split, static_cast<std::int32_t>(q), 0};
      const int side = sign(difference, bound, line);
      const std::int32_t bit = op.pattern_bit[q];
      if (side == 0) note({bit, -1, -1}, line, op);
      changes_.push_back({bit, 1, side > 0 ? 1u : 0u});
    }
  }

  // The label's row is zero at the point.
  void note(const FacetLabel& label, const Line& line, const Op& op) {
    (vanishes(line, op) ? found_.vanishing : found_.on).push_back(label);
  }

  // Sign of entry a minus entry b (numbers of entries) at the point.
  int compare(std::int32_t split, const Op& op, std::int32_t a, std::int32_t b) {
    const int slot = op.inputs[0];
    const Line line = pair(split, op, a, b);
    const auto i = static_cast<std::size_t>(line.first), j = static_cast<std::size_t>(line.second);
    const double difference = scan_.value(slot, i, 0) - scan_.value(slot, j, 0);
    const double error = scan_.usable() ? scan_.error(slot, i) + scan_.error(slot, j) : INFINITY;
    const double bound = error == 0.0 ? 0.0 : 1.000001 * error + 0x1p-52 * std::fabs(difference);
    return sign(difference, bound, line);
  }

  static Line pair(std::int32_t split, const Op& op, std::int32_t a, std::int32_t b) {
    return {Line::Kind::kPair, split, op.max.entries[static_cast<std::size_t>(a)],
            op.max.entries[static_cast<std::size_t>(b)]};
  }

  void max(std::int32_t split, const Op& op) {
    const Max& m = op.max;
    for (std::size_t w = 0; w + 1 < m.start.size(); ++w) {
      std::int32_t best = m.start[w];
      for (std::int32_t k = best + 1; k < m.start[w + 1]; ++k)
        if (compare(split, op, k, best) > 0) best = k;
      const std::int32_t code = m.positions[static_cast<std::size_t>(best)];
      for (std::int32_t k = best + 1; k < m.start[w + 1]; ++k)
        if (compare(split, op, best, k) == 0)
          note({op.pattern_bit[w], code, m.positions[static_cast<std::size_t>(k)]},
               pair(split, op, best, k), op);
      changes_.push_back({op.pattern_bit[w], m.bits, static_cast<std::uint64_t>(code)});
    }
  }

  void set(std::int32_t first, std::int32_t count, std::uint64_t code) {
    for (std::int32_t b = 0; b < count; ++b) {
      std::uint64_t& word = found_.pattern[static_cast<std::size_t>((first + b) >> 6)];
      const std::uint64_t mask = std::uint64_t{1} << ((first + b) & 63);
      word = (code >> b) & 1 ? word | mask : word & ~mask;
    }
  }

  struct Change {
    std::int32_t bit, count;
    std::uint64_t code;
  };
  const Tape& tape_;
  const DomainFrame* domain_;
  const std::function<bool()>& keep_going_;
  MapScan scan_;
  PatternPath path_;
  ExactRows at_;
  std::unique_ptr<MapScan> whole_;  // made where a value is on a breakpoint
  std::unique_ptr<ExactRows> around_;
  std::vector<Change> changes_;  // of the split: its own bits stay as guessed meanwhile
  bool moved_ = false;
  Located found_;
};

}  // namespace

Located locate(const Tape& tape, const DomainFrame& domain, const DomainFrame& point,
               std::span<const std::uint64_t> guess, const std::function<bool()>& keep_going) {
  if (guess.size() != tape.pattern_words() || point.dim != 0)
    throw std::invalid_argument("locating needs a pattern and a point");
  try {
    return Locator(tape, &domain, point, guess, keep_going).run(false);
  } catch (const Stopped&) {
    Located found;
    found.stopped = true;
    return found;
  }
}

Located pattern_at(const Tape& tape, const DomainFrame* domain, std::span<const double> point,
                   std::span<const std::uint64_t> guess, const std::function<bool()>& keep_going) {
  DomainFrame at;
  at.columns = {{point.begin(), point.end()}};
  try {
    return Locator(tape, domain, at, guess, keep_going).run(true);
  } catch (const Stopped&) {
    Located found;
    found.stopped = true;
    return found;
  }
}

std::vector<std::string> essential_rows(const Tape& tape, const DomainFrame& domain) {
  std::vector<std::string> out;
  for (const auto& row : essential_row_basis(tape, domain))
    out.insert(out.end(), row.begin(), row.end());
  return out;
}

}  // namespace linear_regions
