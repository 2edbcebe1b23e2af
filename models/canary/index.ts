/**
 * The canary: the smallest hypervisor there is, to test the harness and to read first. Guests write
 * pages that are mapped on demand; the host takes pages away. With its flag the host frees a page
 * without waiting for the invalidation: it must be found, minimised, saved and replayed at a known
 * rate. Without the flag it is correct.
 */
import fc from 'fast-check';
import { baseRegister, Domain } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { type Card, Change, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, frameOf, Intent, isValid, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { LockKind, Mode } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { Regime } from '../../sim/tables.ts';
import { type BugFlags, type Configuration, defineSystem, type World } from '../system.ts';

const at = sites('canary', [
  'use',
  'lock',
  'read',
  'allocate',
  'map',
  'unlock',
  'clear',
  'invalidate',
  'complete',
  'free',
  'leave',
]);

/** One table of four entries. */
const GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 3,
  rootPages: 1,
  blockLevels: [],
  windowPages: 4,
};

const LOCK = 0;
const VMID = 1;
const BUG = 'canary-free-before-invalidation';

class CanaryWorld implements World {
  readonly machine: Machine;
  readonly flags: BugFlags;
  readonly countBase = -1;
  root = 0;

  constructor(machine: Machine, flags: BugFlags) {
    this.machine = machine;
    this.flags = flags;
  }

  reset(): void {
    const { machine } = this;
    machine.reset();
    this.flags.reset();
    this.root = machine.pages.takeRun(Role.Table, 1);
    machine.tables.plant(0, this.root);
    for (const pe of machine.pes) pe.vttbr = baseRegister(this.root, VMID);
  }

  entry(page: number): number {
    return this.machine.memory.address(this.root, page);
  }
}

/** The guest writes a page; a fault maps it. */
function* write(self: Actor, world: CanaryWorld, page: number): Operation<number> {
  while ((yield* self.guestAccess(at.use, page, Intent.Write, 1)) !== 0) {
    yield* self.acquire(at.lock, LOCK, Mode.Exclusive);
    const old = yield* self.readOnce(at.read, world.entry(page));
    const frame = isValid(old) ? frameOf(old) : yield* self.allocate(at.allocate, Role.Data, false);
    if (frame >= 0 && !isValid(old)) {
      self.claim(Claim.HostGrants, page, frame, 1);
      yield* self.store(at.map, world.entry(page), leaf(frame, READ | WRITE | ACCESSED));
    }
    yield* self.release(at.unlock, LOCK);
    if (frame < 0) return Result.NoMemory;
    self.claim(Claim.FaultHandled, page, 1, 0);
  }
  return Result.Ok;
}

/** The host takes a page away and frees it. */
function* unmap(self: Actor, world: CanaryWorld, page: number): Operation<number> {
  yield* self.acquire(at.lock, LOCK, Mode.Exclusive);
  const old = yield* self.readOnce(at.read, world.entry(page));
  if (isValid(old)) {
    yield* self.store(at.clear, world.entry(page), 0);
    yield* self.tlbi(at.invalidate, Tlbi.Vmalls12e1, Shareability.Inner, 0, 0, 0);
    if (!world.flags.on(BUG)) yield* self.dsb(at.complete, Domain.Inner);
    self.claim(Claim.HostRevokes, page, frameOf(old), 0);
    yield* self.free(at.free, frameOf(old));
  }
  yield* self.release(at.unlock, LOCK);
  return Result.Ok;
}

const WRITE_CARD: Card = {
  tree: 0,
  lock: 'exclusive',
  pages: (args) => [args[0]!, 1],
  inside: [Change.Install],
  outside: [],
  grants: READ | WRITE,
  unusable: 'nothing',
  by: 'end',
  claims: [Claim.HostGrants, Claim.FaultHandled],
  results: [Result.Ok, Result.NoMemory],
};

const UNMAP_CARD: Card = {
  ...WRITE_CARD,
  inside: [Change.Remove],
  achieves: State.Absent,
  unusable: 'removed',
  by: 'unlock',
  claims: [Claim.HostRevokes],
  results: [Result.Ok],
};

const LEAVE_CARD: Card = {
  ...WRITE_CARD,
  tree: -1,
  lock: 'none',
  inside: [],
  claims: [],
  results: [Result.Ok],
};

const page = {
  name: 'page',
  kind: 'page' as const,
  arbitrary: () => fc.nat(GEOMETRY.windowPages - 1),
  max: () => GEOMETRY.windowPages - 1,
};

export const canary = defineSystem<Configuration, CanaryWorld>({
  id: 'canary',
  title: 'the smallest hypervisor, with a planted bug, to test the harness',
  mirrors: 'nothing',
  isListed: false,
  configurations: [
    {
      id: 'canary',
      title: 'two guests, one host, one table of four entries',
      kind: 'correct',
      geometry: GEOMETRY,
      isReal: false,
      fidelity: 'F1',
      vcpus: 2,
      hosts: 1,
      weight: 1,
      parameters: [],
    },
  ],
  operations: [
    {
      id: 'write',
      title: 'the guest writes a page',
      roles: ['vcpu'],
      parameters: [page],
      card: WRITE_CARD,
      weight: 1,
      isGuestAccess: true,
      start: (self, world, [first = 0]) => write(self, world, first),
    },
    {
      id: 'unmap',
      title: 'the host takes a page away',
      roles: ['host'],
      parameters: [page],
      card: UNMAP_CARD,
      weight: 1,
      start: (self, world, [first = 0]) => unmap(self, world, first),
    },
    {
      id: 'leave',
      title: 'the vCPU leaves',
      roles: ['vcpu'],
      parameters: [],
      card: LEAVE_CARD,
      weight: 0,
      *start(self) {
        yield* self.leaveGuest(at.leave);
        return Result.Ok;
      },
    },
  ],
  epilogue: { vcpu: 'leave' },
  bugs: [
    {
      id: BUG,
      title: 'a page is freed before its invalidation is complete',
      upstream: 'none: planted to test the harness',
      caughtBy: ['freed-page', 'stale-translation'],
    },
  ],
  goals: [],
  sites: [walkSites, choiceSites, machineSites, at],
  machine: ({ vcpus }) => ({
    frames: 32,
    kernelFrames: 4,
    backedPages: 16,
    pes: vcpus + 1,
    actors: [
      ...Array.from({ length: vcpus }, (_, i) => ({
        name: `vcpu${i}`,
        role: 'vcpu' as const,
        pe: i,
      })),
      { name: 'host', role: 'host' as const, pe: vcpus },
      ...Array.from({ length: vcpus }, (_, i) => ({ name: `pe${i}`, role: 'pe' as const, pe: i })),
    ],
    locks: [{ name: 'canary lock', kind: LockKind.Spin }],
    sectionDomains: 1,
    trees: [
      {
        name: 'canary',
        geometry: GEOMETRY,
        regime: Regime.Guest,
        vmid: VMID,
        lock: LOCK,
        annotations: false,
        counted: false,
      },
    ],
    guestTree: 0,
    hypervisorTree: 0,
    hardwareAccessed: true,
  }),
  boot: (machine, _configuration, flags) => new CanaryWorld(machine, flags),
});
