/**
 * The canary: a system that fails on purpose at a known rate, to test the harness itself. Two guests
 * race to map one page without a lock; the loser's store is made over a valid entry. With its flag
 * off it maps under the lock and is correct.
 */
import fc from 'fast-check';
import { baseRegister } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { type Card, Change, Result } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, Intent, isValid, leaf, READ, WRITE } from '../../sim/descriptor.ts';
import type { Geometry } from '../../sim/geometry.ts';
import { choiceSites, machineSites, walkSites } from '../../sim/hardware.ts';
import { LockKind, Mode } from '../../sim/locks.ts';
import type { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { sites } from '../../sim/site.ts';
import { Regime } from '../../sim/tables.ts';
import { type BugFlags, type Configuration, defineSystem, type World } from '../system.ts';

const at = sites('canary', ['use', 'lock', 'read', 'map', 'unlock', 'leave']);

const GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 2,
  startLevel: 3,
  rootPages: 1,
  blockLevels: [],
  windowPages: 4,
};

const KERNEL_FRAMES = 4;
const FIRST_FRAME = 8;
const MMU = 0;
const VMID = 1;
const BUG = 'canary-maps-without-lock';

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
    machine.pages.takeRun(Role.Data, 4);
    for (const actor of machine.actors) {
      const pe = machine.pes[actor.pe]!;
      pe.vttbr = baseRegister(this.root, VMID);
    }
    for (let page = 0; page < 4; page += 1)
      machine.claim(Claim.HostGrants, page, FIRST_FRAME + page, 1);
  }
}

function* write(self: Actor, world: CanaryWorld, page: number): Operation<number> {
  for (;;) {
    const result = yield* self.guestAccess(at.use, page, Intent.Write, 1);
    if (result === 0) return Result.Ok;
    const locks = !world.flags.on(BUG);
    if (locks) yield* self.acquire(at.lock, MMU, Mode.Exclusive);
    const word = world.machine.memory.address(world.root, page);
    const old = yield* self.readOnce(at.read, word);
    if (!isValid(old)) {
      yield* self.store(at.map, word, leaf(FIRST_FRAME + page, READ | WRITE | ACCESSED));
    }
    if (locks) yield* self.release(at.unlock, MMU);
    self.claim(Claim.FaultHandled, page, 1, 0);
  }
}

const CARD: Card = {
  tree: 0,
  lock: 'exclusive',
  pages: (args) => [args[0]!, 1],
  inside: [Change.Install],
  outside: [],
  unusable: 'nothing',
  by: 'end',
  claims: [Claim.FaultHandled],
  results: [Result.Ok],
};

export const canary = defineSystem<Configuration, CanaryWorld>({
  id: 'canary',
  title: 'fails on purpose, to test the harness',
  mirrors: 'nothing',
  isListed: false,
  configurations: [
    {
      id: 'canary',
      title: 'two guests, four pages, one table',
      kind: 'correct',
      geometry: GEOMETRY,
      isReal: false,
      fidelity: 'F1',
      vcpus: 2,
      hosts: 0,
      weight: 1,
      parameters: [],
    },
  ],
  operations: [
    {
      id: 'write',
      title: 'the guest writes a page',
      roles: ['vcpu'],
      parameters: [{ name: 'page', kind: 'page', arbitrary: () => fc.nat(3), max: () => 3 }],
      card: CARD,
      weight: 1,
      isGuestAccess: true,
      start: (self, world, [page = 0]) => write(self, world, page),
    },
    {
      id: 'leave',
      title: 'the vCPU leaves',
      roles: ['vcpu'],
      parameters: [],
      card: { ...CARD, tree: -1, lock: 'none', inside: [], claims: [] },
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
      title: 'a page is mapped without the lock',
      upstream: 'none: planted to test the harness',
      caughtBy: ['context'],
    },
  ],
  goals: [],
  sites: [walkSites, choiceSites, machineSites, at],
  machine: (configuration) => ({
    frames: 32,
    kernelFrames: KERNEL_FRAMES,
    backedPages: 16,
    pes: configuration.vcpus,
    actors: [
      ...Array.from({ length: configuration.vcpus }, (_, i) => ({
        name: `vcpu${i}`,
        role: 'vcpu' as const,
        pe: i,
      })),
      ...Array.from({ length: configuration.vcpus }, (_, i) => ({
        name: `pe${i}`,
        role: 'pe' as const,
        pe: i,
      })),
    ],
    locks: [{ name: 'canary lock', kind: LockKind.Spin }],
    sectionDomains: 1,
    trees: [
      {
        name: 'canary',
        geometry: GEOMETRY,
        regime: Regime.Guest,
        vmid: VMID,
        lock: MMU,
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
