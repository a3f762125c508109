// SPDX-License-Identifier: MIT
// Runs of the cone engine: counting, listing, streaming; again with wider masks where a cell has
// too many facets.
#include <algorithm>
#include <stdexcept>

#include "deep/cone_emit.hpp"
#include "deep/cone_engine.hpp"
#include "linear_regions/cones.hpp"
#include "replay_team.hpp"

namespace linear_regions {
namespace {

template <int W>
struct ConeSearch {
  using Engine = ConeEngine<W>;
  using Block = ConeBlock;
  using Result = ConeResult;
  using Restart = FacetOverflow;

  const ConeRoot& root;
  std::size_t dim;
  bool faces = true;
  bool by_parts = false;

  Engine engine(RunControl& control, bool caller) const {
    return {root, control, caller, by_parts};
  }
  ConeBlockSink<W> sink(ConeBlock& block) const {
    return {block, root.tape.pattern_words(), dim, faces};
  }
};

// Runs body<W>() with the narrowest masks that do; `wide`: those that are known to do.
template <typename Body>
auto with_masks(RunControl& control, const Body& body, bool wide = false) {
  try {
    if (!wide) return body.template operator()<1>();
  } catch (const FacetOverflow&) {
    control.begin_anew();
  }
  try {
    return body.template operator()<16>();
  } catch (const FacetOverflow&) {
    throw std::length_error("a cell has more than 1024 facets");
  }
}

template <int W>
class ConeStream : public ConeSink<W> {
 public:
  ConeStream(std::size_t words, std::size_t dim, bool faces, std::size_t size, RunControl& control,
             const std::function<bool(ConeBlock&&)>& out, std::uint64_t& delivered)
      : size_(size),
        control_(control),
        out_(out),
        delivered_(delivered),
        skip_(delivered),
        inner_(block_, words, dim, faces),
        empty_(block_) {
    this->lists_rays = faces;
    this->at_once = !faces;  // blocks of vertices are to stay as small as they were asked for
  }
  // Regions that were delivered before the masks became too narrow are skipped; the order is the
  // same.
  void region(ConeEngine<W>& engine, const typename ConeEngine<W>::Region& region) override {
    if (skips()) return;
    inner_.region(engine, region);
    if (!listing_) flush_if_full();
  }
  void begin() override {
    listing_ = true;
    inner_.begin();
  }
  void listed(ConeEngine<W>& engine, const ConeListed& cell) override {
    if (!skips()) inner_.listed(engine, cell);
  }
  void end() override {
    listing_ = false;
    flush_if_full();
  }
  void drop() override { inner_.drop(); }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = empty_;
  }

 private:
  bool skips() { return skip_ > 0 && skip_-- > 0; }
  void flush_if_full() {
    if (block_.n >= size_) flush();
  }

  bool listing_ = false;  // at once
  bool wanted_ = true;    // a reader that said no is not asked again
  std::size_t size_;
  RunControl& control_;
  const std::function<bool(ConeBlock&&)>& out_;
  std::uint64_t& delivered_;
  std::uint64_t skip_;
  ConeBlock block_;
  ConeBlockSink<W> inner_;
  const ConeBlock empty_;
};

ConeRoot::Asked asked_of(const PartOptions& options) {
  return options.list ? ConeRoot::Asked::kList : ConeRoot::Asked::kCount;
}

}  // namespace

ConeResult count_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic, ConeRoot::Asked::kCount);
  control.start();
  return with_masks(control, [&]<int W>() {
    const ConeSearch<W> search{root, domain.dim};
    return ReplayTeam(search, control, false).run();
  });
}

ConeResult list_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control, std::vector<ConeBlock>& out, bool faces) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic, ConeRoot::Asked::kList);
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  control.start();
  ConeBlock none;
  none.words = tape.pattern_words();
  none.dim = domain.dim;
  none.faces = faces;
  return with_masks(control, [&]<int W>() {
    const ConeSearch<W> search{root, domain.dim, faces};
    ReplayTeam team(search, control, true);
    const ConeResult found = team.run();
    out = team.take_blocks(none);
    return found;
  });
}

ConeResult stream_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                        RunControl& control, std::size_t block,
                        const std::function<bool(ConeBlock&&)>& sink, bool faces) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic, ConeRoot::Asked::kList);
  control.threads = 1;
  control.start();
  std::uint64_t delivered = 0;
  return with_masks(control, [&]<int W>() {
    ConeEngine<W> engine(root, control, true);
    ConeStream<W> stream(tape.pattern_words(), domain.dim, faces, std::max<std::size_t>(1, block),
                         control, sink, delivered);
    typename ConeEngine<W>::Hooks hooks;
    hooks.sink = &stream;
    engine.run(whole_search(), hooks);
    stream.flush();
    const Status status = engine.unfinished() ? control.status() : Status::kComplete;
    return ConeResult{engine.regions(), status, engine.work(), control.seconds()};
  });
}

ConeResult search_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                        RunControl& control, const Part& part, const PartOptions& options,
                        PartOutcome<ConeBlock>& out) {
  const DefaultFloatingPoint environment;
  check_part(part);
  const ConeRoot root(tape, domain, arithmetic, asked_of(options));
  control.start();
  const auto run = [&]<int W>() {
    const ConeSearch<W> search{root, domain.dim, options.faces, true};
    ReplayTeam team(search, control, options.list);
    const ConeResult found = team.run_part(part);
    out = team.outcome();
    out.wide = W > 1;
    return found;
  };
  return with_masks(control, run, options.wide);
}

Part cut_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
               RunControl& control, const Part& part, const PartOptions& options) {
  const DefaultFloatingPoint environment;
  check_part(part);
  const ConeRoot root(tape, domain, arithmetic, asked_of(options));
  control.start();
  const auto run = [&]<int W>() {
    const ConeSearch<W> search{root, domain.dim, options.faces, true};
    return cut_part(search, part, options, control);
  };
  return with_masks(control, run, options.wide);
}

std::vector<RandomWay> probe_cones(const Tape& tape, const DomainFrame& domain,
                                   Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                   std::size_t ways) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic, ConeRoot::Asked::kCount);
  control.start();
  return with_masks(control, [&]<int W>() {
    const ConeSearch<W> search{root, domain.dim};
    return probe_search(search, control, seed, ways);
  });
}

}  // namespace linear_regions
