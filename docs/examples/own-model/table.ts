import { type BugFlags, type Configuration, defineSystem, fc, type World } from 'stagewright';
import * as sim from 'stagewright/sim';
import { Claim, frameOf, isValid, READ, Result, WRITE } from 'stagewright/sim';

// every access has a name: findings and cases speak of `flat.clear`, never of a line number
const at = sim.sites('flat', [
  ...['use', 'take', 'allocate', 'giveUp', 'map', 'leave'] as const,
  ...['look', 'clear', 'order', 'invalidate', 'complete', 'free', 'open'] as const,
]);

// one table of four entries, at the last level
const GEOMETRY: sim.Geometry = {
  granuleBits: 12, bitsPerLevel: 2, startLevel: 3, rootPages: 1, blockLevels: [], windowPages: 4,
};
const VMID = 1;
/** An entry that somebody has taken: invalid for hardware, a lock for software. */
const BUSY = 1 << 10;

class FlatWorld implements World {
  readonly machine: sim.Machine;
  readonly flags: BugFlags;
  readonly countBase = -1; // nothing is reference counted
  root = 0;

  constructor(machine: sim.Machine, flags: BugFlags) {
    this.machine = machine;
    this.flags = flags;
  }

  /** The state at boot, before every run: an empty table, and every CPU has it loaded. */
  reset(): void {
    this.machine.reset();
    this.flags.reset();
    this.root = this.machine.pages.takeRun(sim.Role.Table, 1);
    this.machine.tables.plant(0, this.root);
    for (const pe of this.machine.pes) pe.vttbr = sim.baseRegister(this.root, VMID);
  }

  entry(page: number): number {
    return this.machine.memory.address(this.root, page);
  }
}

/** A vCPU writes a page. As long as that faults, who takes the empty entry maps it. */
function* write(self: sim.Actor, world: FlatWorld, page: number): sim.Operation<number> {
  const entry = world.entry(page);
  while ((yield* self.guestAccess(at.use, page, sim.Intent.Write, 1)) !== 0) {
    if ((yield* self.compareExchange(at.take, entry, 0, BUSY)) !== 0) {
      self.claim(Claim.FaultRetry, sim.RetryReason.Moved, page, 0); // somebody else is at it
      continue;
    }
    const frame = yield* self.allocate(at.allocate, sim.Role.Data, false);
    if (frame < 0) {
      yield* self.store(at.giveUp, entry, 0);
      return Result.NoMemory;
    }
    self.claim(Claim.HostGrants, page, frame, 1);
    yield* self.store(at.map, entry, sim.leaf(frame, READ | WRITE | sim.ACCESSED));
    self.claim(Claim.FaultHandled, page, 1, 0);
  }
  return Result.Ok;
}

/** The host takes a page away and frees it. Of two hosts, the exchange lets one go on. */
function* reclaim(self: sim.Actor, world: FlatWorld, page: number): sim.Operation<number> {
  const entry = world.entry(page);
  const old = yield* self.readOnce(at.look, entry);
  if (!isValid(old)) return Result.Ok;
  // nobody may map the page again before the invalidation is complete
  const broken = world.flags.on('opens-early') ? 0 : BUSY;
  if ((yield* self.compareExchange(at.clear, entry, old, broken)) !== old) return Result.Ok;
  yield* self.dsb(at.order, sim.Domain.InnerStore);
  yield* self.tlbi(at.invalidate, sim.Tlbi.Vmalls12e1, sim.Shareability.Inner, 0, 0, 0);
  yield* self.dsb(at.complete, sim.Domain.Inner);
  self.claim(Claim.HostRevokes, page, frameOf(old), 0);
  yield* self.free(at.free, frameOf(old));
  yield* self.compareExchange(at.open, entry, BUSY, 0);
  return Result.Ok;
}

/** What the operations promise. Oracles judge by these, and never look at the code above. */
const WRITE_CARD: sim.Card = {
  tree: 0, lock: 'none', pages: ([page = 0]) => [page, 1], inside: [sim.Change.Install], outside: [],
  grants: READ | WRITE, unusable: 'nothing', by: 'end',
  claims: [Claim.HostGrants, Claim.FaultHandled], results: [Result.Ok, Result.NoMemory],
};
const RECLAIM_CARD: sim.Card = {
  ...WRITE_CARD, inside: [sim.Change.Remove], achieves: sim.State.Absent, unusable: 'removed',
  claims: [Claim.HostRevokes], results: [Result.Ok],
};
const LEAVE_CARD: sim.Card = { ...WRITE_CARD, tree: -1, inside: [], claims: [], results: [Result.Ok] };

const page = { name: 'page', kind: 'page' as const, arbitrary: () => fc.nat(3), max: () => 3 };

export const flat = defineSystem<Configuration, FlatWorld>({
  id: 'flat',
  title: 'a flat table without a lock',
  mirrors: 'nothing: it is an idea',
  isListed: true,
  configurations: [{
    id: 'flat', title: 'two guests, two hosts', kind: 'correct', geometry: GEOMETRY, isReal: false,
    fidelity: 'F1', vcpus: 2, hosts: 2, weight: 1, parameters: [],
  }],
  operations: [
    { id: 'write', title: 'the guest writes a page', roles: ['vcpu'], parameters: [page], card: WRITE_CARD,
      weight: 1, isGuestAccess: true, start: (self, world, [first = 0]) => write(self, world, first) },
    { id: 'reclaim', title: 'the host takes a page away', roles: ['host'], parameters: [page],
      card: RECLAIM_CARD, weight: 1, start: (self, world, [first = 0]) => reclaim(self, world, first) },
    { id: 'leave', title: 'the vCPU leaves the guest', roles: ['vcpu'], parameters: [], card: LEAVE_CARD,
      weight: 0, *start(self) { yield* self.leaveGuest(at.leave); return Result.Ok; } },
  ],
  epilogue: { vcpu: 'leave' },
  bugs: [{
    id: 'opens-early', title: 'an entry can be taken again before its old translation is gone',
    upstream: 'none: our own', caughtBy: ['break-before-make', 'freed-page'],
  }],
  goals: [],
  sites: [sim.walkSites, sim.choiceSites, sim.machineSites, at],
  machine: () => ({
    frames: 32, kernelFrames: 4, backedPages: 16, pes: 4, locks: [], sectionDomains: 1,
    actors: [
      { name: 'vcpu0', role: 'vcpu', pe: 0 }, { name: 'vcpu1', role: 'vcpu', pe: 1 },
      { name: 'host', role: 'host', pe: 2 }, { name: 'host1', role: 'host', pe: 3 },
      { name: 'pe0', role: 'pe', pe: 0 }, { name: 'pe1', role: 'pe', pe: 1 },
    ],
    trees: [{
      name: 'flat', geometry: GEOMETRY, regime: sim.Regime.Guest, vmid: VMID, lock: -1,
      annotations: false, counted: false, busy: BUSY,
    }],
    guestTree: 0, hypervisorTree: 0, hardwareAccessed: true,
  }),
  boot: (machine, _configuration, flags) => new FlatWorld(machine, flags),
});

export const systems = [flat];
