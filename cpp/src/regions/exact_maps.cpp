// SPDX-License-Identifier: MIT
#include "regions/exact_maps.hpp"

#include <stdexcept>

#include "exact_rows.hpp"
#include "linear_regions/region_maps.hpp"
#include "regions/label_lines.hpp"
#include "regions/pattern_path.hpp"

namespace linear_regions {
namespace {

void append_hex(const Integer& value, std::string& text) {
  if (value < 0) text += '-';
  text += Integer(abs(value)).str(0, std::ios_base::hex);
}

}  // namespace

struct ExactMaps::Impl {
  const Tape& tape;
  PatternPath path;
  ExactRows rows;

  Impl(const Tape& t, const DomainFrame& domain)
      : tape(t), path(t), rows(t, path.path(), columns_of(domain)) {}
};

ExactMaps::ExactMaps(const Tape& tape, const DomainFrame& domain, std::function<bool()> keep_going)
    : impl_(std::make_unique<Impl>(tape, domain)) {
  impl_->rows.watch(std::move(keep_going));
}
ExactMaps::~ExactMaps() = default;

std::string ExactMaps::key(const std::uint64_t* pattern) {
  impl_->path.move_to(pattern);
  const auto slot = static_cast<int>(impl_->tape.slots().size()) - 1;
  std::string text;
  for (std::size_t i = 0; i < impl_->tape.slots().back().size; ++i)
    for (const Integer& value : impl_->rows.row(slot, static_cast<std::int32_t>(i)).v) {
      append_hex(value, text);
      text += ' ';
    }
  return text;
}

std::vector<std::string> exact_facet_rows(const Tape& tape, const DomainFrame& domain,
                                          std::span<const std::uint64_t> pattern,
                                          std::span<const FacetLabel> labels) {
  if (pattern.size() != tape.pattern_words())
    throw std::invalid_argument("the pattern has another number of words than the network");
  PatternPath path(tape);
  path.move_to(pattern.data());
  ExactRows rows(tape, path.path(), columns_of(domain));
  const LabelLines lines(tape);
  std::vector<std::string> out;
  for (const FacetLabel& label : labels)
    for (const Integer& value : rows.line(lines.line(label, pattern.data()))) {
      out.emplace_back();
      append_hex(value, out.back());
    }
  return out;
}

}  // namespace linear_regions
