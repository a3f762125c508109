// SPDX-License-Identifier: MIT
// Included by the sources of each instruction set, inside an unnamed namespace, after the header
// that defines V.

double sum_of(V x) {
  double lane[8];
  x.store(lane);
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

V values_at(const ConeRows& rows, std::size_t at, const double* x) {
  const double* column = rows.by_column.data() + at;
  V sum = V::zero();
  for (std::size_t k = 0; k < rows.dim; ++k, column += rows.padded)
    sum = fma(V::broadcast(x[k]), V::load(column), sum);
  return sum;
}

void evaluate(const ConeRows& rows, const double* x, double* values) {
  for (std::size_t i = 0; i < rows.n; i += 8) values_at(rows, i, x).store(values + i);
}

std::int32_t worst(const ConeRows& rows, const double* x, const double* weight, double least,
                   double* values) {
  std::int32_t found = -1;
  double slack[8];
  for (std::size_t i = 0; i < rows.n; i += 8) {
    const V value = values_at(rows, i, x);
    value.store(values + i);
    const V w = V::load(weight + i), s = w * value;
    unsigned low = greater(V::broadcast(least), s) & greater(abs(w), V::zero());
    if (low == 0) continue;
    s.store(slack);
    for (; low != 0; low &= low - 1) {
      const auto j = static_cast<std::size_t>(std::countr_zero(low));
      if (slack[j] >= least) continue;
      least = slack[j];
      found = static_cast<std::int32_t>(i + j);
    }
  }
  return found;
}

void coefficients(const double* inverse, std::size_t lanes, std::size_t dim, std::size_t active,
                  const double* z, double* out) {
  for (std::size_t i = 0; i < lanes; i += 8) {
    V sum = V::zero();
    if (i < active)
      for (std::size_t k = 0; k < dim; ++k)
        sum = fma(V::broadcast(z[k]), V::load(inverse + k * lanes + i), sum);
    sum.store(out + i);
  }
}

double subtract(const ConeRows& rows, const SignedRow* active_rows, std::size_t active,
                const double* part, double* z) {
  V squares = V::zero();
  for (std::size_t k = 0; k < rows.stride; k += 8) {
    V sum = V::load(z + k);
    for (std::size_t i = 0; i < active; ++i) {
      const double factor = active_rows[i].sign > 0 ? -part[i] : part[i];
      const double* row =
          rows.by_row.data() + static_cast<std::size_t>(active_rows[i].row) * rows.stride;
      sum = fma(V::broadcast(factor), V::load(row + k), sum);
    }
    sum.store(z + k);
    squares = fma(sum, sum, squares);
  }
  return sum_of(squares);
}

void append(double* inverse, std::size_t lanes, std::size_t dim, std::size_t active,
            const double* r, const double* last) {
  for (std::size_t k = 0; k < dim; ++k) {
    double* p = inverse + k * lanes;
    const V c = V::broadcast(-last[k]);
    for (std::size_t i = 0; i < active; i += 8) fma(c, V::load(r + i), V::load(p + i)).store(p + i);
    p[active] = last[k];
  }
}

void remove(double* inverse, std::size_t lanes, std::size_t dim, std::size_t active,
            const double* factor, const double* gone) {
  for (std::size_t k = 0; k < dim; ++k) {
    double* p = inverse + k * lanes;
    const V c = V::broadcast(-gone[k]);
    for (std::size_t i = 0; i < active; i += 8)
      fma(c, V::load(factor + i), V::load(p + i)).store(p + i);
  }
}

double dot(const double* a, const double* b, std::size_t lanes) {
  V sum = V::zero();
  for (std::size_t k = 0; k < lanes; k += 8) sum = fma(V::load(a + k), V::load(b + k), sum);
  return sum_of(sum);
}
