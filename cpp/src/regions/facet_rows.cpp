// SPDX-License-Identifier: MIT
// The inequalities of regions in doubles, with bounds of their errors.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "linear_regions/region_maps.hpp"
#include "regions/label_lines.hpp"
#include "regions/map_scan.hpp"

namespace linear_regions {
namespace {

constexpr double kRoundoff = 0x1p-53;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// a - b with the sign of its rounding error left out: the bound grows where something was lost.
double minus(double a, double b, double& error) {
  const double difference = a - b;
  if (b == 0.0) return difference;
  const double part = difference - a;
  const bool exact = (a - (difference - part)) + (-b - part) == 0.0;
  if (!exact) error += 1.01 * kRoundoff * std::fabs(difference);
  return difference;
}

class RowWriter {
 public:
  RowWriter(const Tape& tape, const MapScan& scan) : tape_(tape), scan_(scan) {}

  // Writes the row of a line, positive where the pattern says so; returns the error bound.
  double write(const Line& line, const FacetLabel& label, const std::uint64_t* pattern,
               double* row) const {
    const Op& op = tape_.split(line.split);
    const int slot = op.inputs[0];
    const std::size_t width = scan_.width();
    double error = 0.0, extra = 0.0;
    if (line.kind == Line::Kind::kPair) {
      const auto a = static_cast<std::size_t>(line.first),
                 b = static_cast<std::size_t>(line.second);
      error = scan_.error(slot, a) + scan_.error(slot, b);
      for (std::size_t k = 0; k < width; ++k) {
        double lost = 0.0;
        row[k] = minus(scan_.value(slot, a, k), scan_.value(slot, b, k), lost);
        extra = std::max(extra, lost);
      }
    } else {
      const Pointwise& p = op.pointwise;
      const auto unit = static_cast<std::size_t>(p.unit_of_cut[line.first]);
      const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
      const double at =
          table.breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[line.first])];
      error = scan_.error(slot, unit);
      for (std::size_t k = 0; k < width; ++k) row[k] = scan_.value(slot, unit, k);
      row[width - 1] = minus(row[width - 1], at, extra);
      if (pattern_bits(pattern, label.bit, 1) == 0)
        for (std::size_t k = 0; k < width; ++k) row[k] = 0.0 - row[k];
    }
    if (!scan_.usable()) return kInfinity;
    return error == 0.0 && extra == 0.0 ? 0.0 : (error + extra) * 1.000001;
  }

 private:
  const Tape& tape_;
  const MapScan& scan_;
};

}  // namespace

std::vector<FacetLabel> cell_labels(const Tape& tape, std::span<const std::uint64_t> pattern) {
  if (pattern.size() != tape.pattern_words())
    throw std::invalid_argument("the pattern has another number of words than the network");
  std::vector<FacetLabel> labels;
  for (std::size_t s = 0; s < tape.splits().size(); ++s) {
    const Op& op = tape.split(static_cast<int>(s));
    if (op.kind == OpKind::kPointwise) {
      const Pointwise& p = op.pointwise;
      const auto units = static_cast<std::int32_t>(p.cut_start.size()) - 1;
      for (std::int32_t i = 0; i < units; ++i) {
        const auto piece = static_cast<std::int32_t>(piece_of(op, i, pattern.data()));
        const std::int32_t first = p.cut_start[i], last = p.cut_start[i + 1];
        for (std::int32_t q = std::max(first, first + piece - 1);
             q < std::min(last, first + piece + 1); ++q)
          labels.push_back({op.pattern_bit[static_cast<std::size_t>(q)], -1, -1});
      }
      continue;
    }
    const Max& max = op.max;
    if (max.bits == 0) continue;
    for (std::size_t w = 0; w + 1 < max.start.size(); ++w) {
      const std::int32_t winner = max.positions[static_cast<std::size_t>(
          winner_of(op, static_cast<std::int32_t>(w), pattern.data()))];
      for (std::int32_t k = max.start[w]; k < max.start[w + 1]; ++k)
        if (const std::int32_t other = max.positions[static_cast<std::size_t>(k)]; other != winner)
          labels.push_back({op.pattern_bit[w], winner, other});
    }
  }
  return labels;
}

FacetRows facet_rows(const Tape& tape, const DomainFrame& domain,
                     std::span<const std::uint64_t> patterns,
                     std::span<const std::int64_t> facet_start,
                     std::span<const FacetLabel> labels) {
  const std::size_t words = tape.pattern_words();
  const std::size_t n = facet_start.empty() ? 0 : facet_start.size() - 1;
  if (patterns.size() != n * words ||
      (n > 0 && (facet_start.front() != 0 || facet_start.back() < 0 ||
                 static_cast<std::size_t>(facet_start.back()) != labels.size() ||
                 !std::is_sorted(facet_start.begin(), facet_start.end()))))
    throw std::invalid_argument("patterns, facet_start and labels do not belong together");
  MapScan scan(tape, domain);
  const LabelLines lines(tape);
  const RowWriter writer(tape, scan);
  FacetRows out;
  out.rows.resize(labels.size() * scan.width());
  out.errors.resize(labels.size());
  for (std::size_t r = 0; r < n; ++r) {
    const std::uint64_t* pattern = patterns.data() + r * words;
    scan.move_to(pattern);
    for (auto f = static_cast<std::size_t>(facet_start[r]);
         f < static_cast<std::size_t>(facet_start[r + 1]); ++f)
      out.errors[f] = writer.write(lines.line(labels[f], pattern), labels[f], pattern,
                                   out.rows.data() + f * scan.width());
  }
  return out;
}

}  // namespace linear_regions
