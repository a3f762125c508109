// SPDX-License-Identifier: MIT
// Runs of the planar engine: counting, listing, streaming; one thread or several.
#include "linear_regions/planar.hpp"

#include <algorithm>

#include "emit.hpp"
#include "engine.hpp"
#include "replay_team.hpp"

namespace linear_regions {
namespace {

struct PlanarSearch {
  using Engine = linear_regions::Engine;
  using Block = RegionBlock;
  using Result = PlanarResult;
  struct Restart {};  // never

  const PlanarRoot& root;
  bool faces = true;

  Engine engine(RunControl& control, bool caller) const { return {root, control, caller}; }
  BlockSink sink(RegionBlock& block) const { return {block, root.tape.pattern_words(), faces}; }
};

}  // namespace

PlanarResult count_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                          RunControl& control) {
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  control.start();
  const PlanarSearch search{root};
  return ReplayTeam(search, control, false).run();
}

PlanarResult list_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                         RunControl& control, std::vector<RegionBlock>& out, bool faces) {
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  control.start();
  const PlanarSearch search{root, faces};
  ReplayTeam team(search, control, true);
  PlanarResult result = team.run();
  RegionBlock none;
  none.words = tape.pattern_words();
  none.faces = faces;
  out = team.take_blocks(std::move(none));
  return result;
}

PlanarResult stream_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                           RunControl& control, std::size_t block,
                           const std::function<bool(RegionBlock&&)>& sink, bool faces) {
  class Stream : public RegionSink {
   public:
    Stream(std::size_t words, bool faces, std::size_t size, RunControl& control,
           const std::function<bool(RegionBlock&&)>& out)
        : size_(size), control_(control), out_(out), inner_(block_, words, faces), empty_(block_) {}
    void region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) override {
      inner_.region(engine, polygon, pattern);
      if (block_.n >= size_) flush();
    }
    void flush() {
      if (block_.n == 0 || !wanted_) return;
      wanted_ = out_(std::move(block_));
      if (!wanted_) control_.stop(Status::kCancelled);
      block_ = empty_;
    }

   private:
    bool wanted_ = true;  // a reader that said no is not asked again
    std::size_t size_;
    RunControl& control_;
    const std::function<bool(RegionBlock&&)>& out_;
    RegionBlock block_;
    BlockSink inner_;
    const RegionBlock empty_;
  };
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  control.threads = 1;
  control.start();
  Engine engine(root, control, true);
  Stream stream(tape.pattern_words(), faces, std::max<std::size_t>(1, block), control, sink);
  Engine::Hooks hooks;
  hooks.sink = &stream;
  engine.run(whole_search(), hooks);
  stream.flush();
  const Status status = engine.unfinished() ? control.status() : Status::kComplete;
  return {engine.regions(), status, engine.work(), control.seconds()};
}

PlanarResult search_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                           RunControl& control, const Part& part, const PartOptions& options,
                           PartOutcome<RegionBlock>& out) {
  const DefaultFloatingPoint environment;
  check_part(part);
  const PlanarRoot root(tape, domain, arithmetic);
  control.start();
  const PlanarSearch search{root, options.faces};
  ReplayTeam team(search, control, options.list);
  const PlanarResult result = team.run_part(part);
  out = team.outcome();
  return result;
}

Part cut_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                RunControl& control, const Part& part, const PartOptions& options) {
  const DefaultFloatingPoint environment;
  check_part(part);
  const PlanarRoot root(tape, domain, arithmetic);
  control.start();
  const PlanarSearch search{root, options.faces};
  return cut_part(search, part, options, control);
}

std::vector<RandomWay> probe_planar(const Tape& tape, const PlanarDomain& domain,
                                    Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                    std::size_t ways) {
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  control.start();
  const PlanarSearch search{root};
  return probe_search(search, control, seed, ways);
}

}  // namespace linear_regions
