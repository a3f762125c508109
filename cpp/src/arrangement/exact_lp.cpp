// SPDX-License-Identifier: MIT
#include "arrangement/exact_lp.hpp"

#include <stdexcept>
#include <unordered_map>

#include "arrangement/exact_point.hpp"

namespace linear_regions::arrangement {
namespace {

// The simplex tableau of one solve: `inverse` / `denominator` is the inverse of the basis.
class Tableau {
 public:
  Tableau(std::vector<const Vector*> rows, std::vector<int> signs, std::size_t dim)
      : rows_(std::move(rows)), signs_(std::move(signs)), m_(dim + 1), price_(m_), column_(m_) {
    inverse_.assign(m_, Vector(m_));
    for (std::size_t k = 0; k < m_; ++k) {
      inverse_[k][k] = 1;
      basis_.push_back(-1 - static_cast<std::ptrdiff_t>(k));  // artificial columns come first
    }
  }

  // True if the alternative has a solution.
  bool run(const std::function<bool()>& keep_going) {
    for (;;) {
      if (keep_going && !keep_going()) throw ExactLp::Stopped{};
      set_prices();
      if (price_[m_ - 1].is_zero()) return true;
      std::size_t entering = 0;
      while (entering < rows_.size() && value(entering) <= 0) ++entering;
      if (entering == rows_.size()) return false;
      pivot(entering);
    }
  }

  // After true: columns of the basis with a positive multiplier.
  std::vector<std::size_t> support() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < m_; ++i)
      if (basis_[i] >= 0 && !inverse_[i][m_ - 1].is_zero())
        out.push_back(static_cast<std::size_t>(basis_[i]));
    return out;
  }

  // After false: s_i v_i . price <= -(last price) < 0 for all rows.
  Vector interior() const {
    Vector x(price_.begin(), price_.end() - 1);
    for (Integer& v : x) v = -v;
    return x;
  }

 private:
  // Prices times the denominator: the cost of an artificial column is 1, of the others 0.
  void set_prices() {
    for (std::size_t k = 0; k < m_; ++k) {
      price_[k] = 0;
      for (std::size_t i = 0; i < m_; ++i)
        if (basis_[i] < 0) price_[k] += inverse_[i][k];
    }
  }

  Integer value(std::size_t j) const {
    Integer sum = 0;
    for (std::size_t k = 0; k + 1 < m_; ++k)
      if (!(*rows_[j])[k].is_zero()) sum += price_[k] * (*rows_[j])[k];
    if (signs_[j] < 0) sum = -sum;
    return sum + price_[m_ - 1];
  }

  void pivot(std::size_t entering) {
    for (std::size_t i = 0; i < m_; ++i) {
      Integer sum = 0;
      for (std::size_t k = 0; k + 1 < m_; ++k) sum += inverse_[i][k] * (*rows_[entering])[k];
      if (signs_[entering] < 0) sum = -sum;
      column_[i] = sum + inverse_[i][m_ - 1];
    }
    // Least ratio (right-hand side / column); among equal ones the smallest column, after Bland.
    std::size_t leaving = m_;
    for (std::size_t i = 0; i < m_; ++i) {
      if (column_[i] <= 0) continue;
      if (leaving < m_) {
        const Integer left = inverse_[i][m_ - 1] * column_[leaving],
                      right = inverse_[leaving][m_ - 1] * column_[i];
        if (left > right || (left == right && basis_[i] > basis_[leaving])) continue;
      }
      leaving = i;
    }
    if (leaving == m_) throw std::logic_error("the first phase of the simplex method is bounded");
    for (std::size_t i = 0; i < m_; ++i) {
      if (i == leaving) continue;
      for (std::size_t k = 0; k < m_; ++k)
        inverse_[i][k] =
            (column_[leaving] * inverse_[i][k] - column_[i] * inverse_[leaving][k]) / denominator_;
    }
    denominator_ = column_[leaving];
    basis_[leaving] = static_cast<std::ptrdiff_t>(entering);
  }

  std::vector<const Vector*> rows_;
  std::vector<int> signs_;
  std::size_t m_;
  std::vector<Vector> inverse_;
  Integer denominator_ = 1;
  std::vector<std::ptrdiff_t> basis_;
  Vector price_, column_;
};

}  // namespace

std::vector<std::string> DoublesAreExact::exact_row(std::size_t i) const {
  std::vector<std::string> out;
  for (const Integer& v : integers(rows_.row(i), rows_.dim)) out.push_back(hex_text(v));
  return out;
}

struct ExactLp::Impl {
  std::size_t dim;
  const ExactRowSource& source;
  std::function<bool()> keep_going;
  std::unordered_map<std::size_t, Vector> rows;

  const Vector& row(std::size_t i) {
    const auto found = rows.find(i);
    if (found != rows.end()) return found->second;
    Vector row;
    for (const std::string& text : source.exact_row(i)) row.push_back(parse_hex(text));
    return rows.emplace(i, std::move(row)).first->second;
  }
};

ExactLp::ExactLp(std::size_t dim, const ExactRowSource& source)
    : impl_(std::make_unique<Impl>(Impl{dim, source, {}, {}})) {}
ExactLp::~ExactLp() = default;

void ExactLp::watch(std::function<bool()> keep_going) {
  impl_->keep_going = std::move(keep_going);
}

void ExactLp::forget() {
  impl_->rows.clear();
}

void ExactLp::forget(std::size_t row) {
  impl_->rows.erase(row);
}

ExactLp::Outcome ExactLp::solve(std::span<const SignedRow> cone) {
  std::vector<const Vector*> rows;
  std::vector<int> signs;
  for (const SignedRow& r : cone) {
    rows.push_back(&impl_->row(static_cast<std::size_t>(r.row)));
    signs.push_back(r.sign);
  }
  Tableau tableau(std::move(rows), std::move(signs), impl_->dim);
  Outcome outcome;
  if (tableau.run(impl_->keep_going)) {
    for (const std::size_t j : tableau.support()) outcome.support.push_back(cone[j]);
  } else {
    outcome.interior = std::make_shared<ExactPoint>(tableau.interior());
  }
  return outcome;
}

// Rows with a positive dependence vanish on the whole closed cone. There the others are what is
// left of them when those are eliminated; a program on what is left finds either a direction that
// is strictly inside or more rows that vanish: at most dim programs.
bool ExactLp::only_zero(std::span<const SignedRow> cone) {
  std::vector<Vector> rows;
  for (const SignedRow& r : cone) {
    rows.push_back(impl_->row(static_cast<std::size_t>(r.row)));
    if (r.sign < 0)
      for (Integer& v : rows.back()) v = -v;
  }
  Echelon vanishing;
  for (;;) {
    std::vector<const Vector*> left;
    for (Vector& row : rows) {
      vanishing.reduce(row);
      if (!all_zero(row)) left.push_back(&row);
    }
    if (vanishing.pivots().size() == impl_->dim) return true;
    if (left.empty()) return false;
    Tableau tableau(left, std::vector<int>(left.size(), 1), impl_->dim);
    if (!tableau.run(impl_->keep_going)) return false;
    for (const std::size_t j : tableau.support()) vanishing.add(*left[j]);
  }
}

int ExactLp::sign_at(std::size_t row, const double* x) {
  return dot(impl_->row(row), integers(x, impl_->dim)).sign();
}

int ExactLp::sign_at(std::size_t row, const ExactPoint& x) {
  return dot(impl_->row(row), x.x).sign();
}

void ExactLp::round(const ExactPoint& point, unsigned factor, double* x) {
  long bits = 0;
  for (const Integer& v : point.x) bits = std::max(bits, bit_count(v));
  for (std::size_t k = 0; k < point.x.size(); ++k) x[k] = to_double(point.x[k] * factor, bits);
}

std::shared_ptr<const ExactPoint> ExactLp::point(const double* x, std::size_t dim) {
  return std::make_shared<ExactPoint>(integers(x, dim));
}

}  // namespace linear_regions::arrangement
