// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "deep/cone_engine.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool moderate(double value) {
  const double size = std::fabs(value);
  return size == 0.0 || (size >= 0x1p-200 && size <= 0x1p200);
}

// Bounded coordinates that lie far from zero, from about their middle on. What a row rounds off and
// what is not known of a ray then go by the size of the domain, not by its distance from zero:
// under half of property 5 of ACAS Xu three of four rays fewer are solved anew. The middle has few
// bits, so that doubles hold the new sides and origin, too; if they do not the domain stays where
// it is.
DomainFrame centered(DomainFrame domain) {
  const auto [low, high] = coordinate_bounds(domain);
  std::vector<double> center(domain.dim, 0.0);
  bool any = false;
  for (std::size_t j = 0; j < domain.dim; ++j) {
    const double middle = low[j] / 2 + high[j] / 2, half = high[j] / 2 - low[j] / 2;
    if (!(half > 0x1p-150 && half < std::fabs(middle) && std::fabs(middle) < 0x1p150)) continue;
    const int last = std::ilogb(half) - 3;
    center[j] = std::ldexp(std::round(std::ldexp(middle, -last)), last);
    any = true;
  }
  if (!any) return domain;
  DomainFrame there = moved(domain, center, std::vector<int>(domain.dim, 0));
  const bool rounds = (domain.exact_columns.empty() && !there.exact_columns.empty()) ||
                      (domain.exact_sides.empty() && !there.exact_sides.empty());
  return rounds ? domain : there;
}

// Powers of two that bring every coordinate of a domain with sides t_j >= low and t_j <= high into
// [-1, 1]; none for coordinates without both.
std::vector<int> box_scale(const DomainFrame& domain) {
  const auto [low, high] = coordinate_bounds(domain);
  std::vector<int> scale(domain.dim, 0);
  for (std::size_t j = 0; j < domain.dim; ++j) {
    const double size = std::max(std::fabs(low[j]), std::fabs(high[j]));
    if (size > 0x1p-200 && size < 0x1p200) {
      const int by = std::ilogb(size);
      scale[j] = size == std::ldexp(1.0, by) ? by : by + 1;
    }
  }
  return scale;
}

}  // namespace

ConeRoot::ConeRoot(const Tape& t, const DomainFrame& d, Arithmetic how, Asked asked)
    : tape(t), arithmetic(how) {
  const std::size_t n = t.n_in();
  if (d.columns.size() != d.dim + 1)
    throw std::invalid_argument("a domain of dimension d needs d + 1 columns");
  for (const auto& column : d.columns)
    if (column.size() != n)
      throw std::invalid_argument("the domain has another input size than the network");
  coordinates = essential_coordinates(t, d);
  domain = restricted(d, coordinates);
  if (asked == Asked::kCount) domain = centered(std::move(domain));
  dim = domain.dim;
  with_axes = domain;
  for (std::size_t j = 0; j < dim; ++j)
    for (std::size_t k = 0; k <= dim; ++k) {
      with_axes.sides.push_back(j == k ? 1.0 : 0.0);
      if (!domain.exact_sides.empty()) with_axes.exact_sides.emplace_back(j == k ? "1" : "0");
    }
  stride = (dim + 1 + 3) / 4 * 4;
  scale = box_scale(domain);
  for (const int by : scale) unit.push_back(std::ldexp(1.0, by));
  tame = t.moderate();
  always_sharp = sharpen_always();
  for (std::size_t i = 0; i < domain.n_sides(); ++i) {
    double norm = 0.0;
    for (std::size_t j = 0; j <= dim; ++j) {
      const double value = domain.side(i)[j];
      tame = tame && moderate(value);
      sides.push_back(j < dim ? std::ldexp(value, scale[j]) : value);
      norm += std::fabs(sides.back());
    }
    sides.push_back(
        domain.exact_sides.empty() ? 0.0 : 2 * kRoundoff * static_cast<double>(dim + 2) * norm);
    sides.push_back(norm * 1.0000001);
  }
  axes.assign(dim * (dim + 3), 0.0);
  for (std::size_t j = 0; j < dim; ++j)
    axes[j * (dim + 3) + j] = axes[j * (dim + 3) + dim + 2] = 1.0;
  DeepMaps maps(t, dim);
  DeepRows opening(dim + 2);
  for (std::size_t j = 0; j < n; ++j) {
    double* row = opening.add(static_cast<std::int32_t>(j));
    // Internal and external order of the input agree.
    bool any = false;
    for (std::size_t k = 0; k <= dim; ++k) {
      const double value = domain.columns[k][j];
      tame = tame && moderate(value);
      any = any || value != 0.0;
      row[k] = k < dim ? std::ldexp(value, scale[k]) : value;
    }
    row[dim + 1] = 0.0;
    if (!domain.exact_columns.empty()) {
      any = true;
      row[dim + 1] = 2 * kRoundoff * static_cast<double>(dim + 2) * maps.norm(row) + 0x1p-600;
    }
    if (!any) opening.drop_last();
  }
  if (!tame) {  // nothing is certain in doubles: every decision goes to the exact stage
    for (std::size_t i = 0; i < domain.n_sides(); ++i) sides[i * (dim + 3) + dim + 1] = kInfinity;
    for (std::size_t i = 0; i < opening.size(); ++i) opening.row(i)[dim + 1] = kInfinity;
  }
  first_block.resize(maps.block_size(0));
  maps.base(0, opening, {first_block.data()}, first_block.data());
  find_chains();
}

// A stage is a chain when it reads nothing but the slot that opens it. Where that slot is zero,
// what is left is a constant; with one operation it is the bias, exactly.
void ConeRoot::find_chains() {
  const std::size_t splits = tape.splits().size();
  chain.assign(splits + 1, 0);
  constant_known.assign(splits + 1, 0);
  constants.resize(splits + 1);
  for (std::size_t s = 1; s < splits; ++s) {
    const Stage& stage = tape.stages()[s];
    const Op& next = tape.split(static_cast<int>(s));
    bool closed = tape.slots()[next.inputs[0]].stage == static_cast<int>(s);
    bool biased = false;
    for (int index : stage.ops) {
      const Op& op = tape.ops()[index];
      for (int slot : op.inputs) closed = closed && tape.slots()[slot].stage == static_cast<int>(s);
      for (double b : op.bias) biased = biased || b != 0.0;
    }
    chain[s] = closed;
    const std::size_t n = tape.slots()[next.inputs[0]].size;
    if (!biased) {
      constant_known[s] = 1;
      constants[s].assign(n, 0.0);
    } else if (stage.ops.size() == 1 && tape.ops()[stage.ops[0]].output == next.inputs[0]) {
      constant_known[s] = 1;
      const auto& bias = tape.ops()[stage.ops[0]].bias;
      constants[s].assign(bias.begin(), bias.begin() + static_cast<std::ptrdiff_t>(n));
    }
  }
}

}  // namespace linear_regions
