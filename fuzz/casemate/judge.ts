/**
 * Judges a trace in casemate's format with our own oracles: the records are made on a machine with real
 * geometry, in their order, and every PE that ever loaded a tree holds on to what is taken out of it until an
 * invalidation reaches it.
 *
 * Oracles: break-before-make and freed-table. The others judge operations, and a trace names none; nobody
 * judges locks here.
 */
import { breakBeforeMake } from '../../oracles/break-before-make.ts';
import { freedTable } from '../../oracles/freed-table.ts';
import { Report, type Scene, type Violation } from '../../oracles/oracle.ts';
import { baseRegister, type Domain, Register } from '../../sim/access.ts';
import type { Actor, Operation } from '../../sim/actor.ts';
import { Claim } from '../../sim/claims.ts';
import { type Descriptor, frameOf, isTable, isValid } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { type Geometry, LAST_LEVEL, levelShift } from '../../sim/geometry.ts';
import { Shareability, Tlbi } from '../../sim/invalidation.ts';
import { Machine } from '../../sim/machine.ts';
import { Role } from '../../sim/pages.ts';
import { placeLevel, placeTree } from '../../sim/place.ts';
import { sites } from '../../sim/site.ts';
import type { MachineSpec } from '../../sim/spec.ts';
import { Regime } from '../../sim/tables.ts';
import { TLB_CAPACITY, TlbKind } from '../../sim/tlb.ts';
import { DOMAINS, decodeInvalid, decodeValid, OPERATIONS } from './decode.ts';
import { THREADS_MAX } from './format.ts';
import { InOrder } from './in-order.ts';
import { type ReadRecord, TraceFault } from './read.ts';

const at = sites('trace', ['write', 'read', 'barrier', 'invalidate', 'register', 'release']);

const FRAMES = 4096;
const GEOMETRY: Geometry = {
  granuleBits: 12,
  bitsPerLevel: 9,
  startLevel: 0,
  rootPages: 1,
  blockLevels: [1, 2],
  windowPages: 1 << 20,
};
const ADDRESS_MASK = 0xffff_ffff_f000n;
const LIMITS = { steps: 1_000_000, tail: 1_000_000 };

export interface TraceFinding {
  readonly oracle: string;
  readonly rule: string;
  /** The record at which it was seen. */
  readonly record: ReadRecord;
}

export interface TraceVerdict {
  readonly records: number;
  readonly judgements: number;
  /** Broken entries that were not followed, because too many were at a time. */
  readonly overlooked: number;
  readonly finding: TraceFinding | undefined;
}

/** @throws TraceFault when a record cannot be made, such as a write to a page that was never initialised */
export function judgeTrace(records: readonly ReadRecord[]): TraceVerdict {
  return new TraceRun(records).verdict();
}

interface Root {
  readonly location: bigint;
  readonly isGuest: boolean;
  vmid: number;
}

class TraceRun {
  readonly #records: readonly ReadRecord[];
  readonly #roots: readonly Root[];
  readonly #machine: Machine;
  readonly #report: Report;
  /** Frame of each page that the trace names. */
  readonly #frames = new Map<bigint, number>();
  /** Words of pages that are no part of a tree yet, as they were written. */
  readonly #unlinked = new Map<number, Map<number, bigint>>();
  readonly #vmids = new Map<bigint, number>();
  /** Trees that each PE has loaded. */
  readonly #loaded: Set<number>[];
  #next = 0;
  /** Entries that were broken while a TLB here had no room for more. */
  #overlooked = 0;
  /** Records before this one are made. */
  #current = -1;

  constructor(records: readonly ReadRecord[]) {
    this.#records = records;
    for (const { tid, line } of records) {
      if (tid >= THREADS_MAX)
        throw new TraceFault(line, 1, `thread ${tid}: there are threads 0 to ${THREADS_MAX - 1}`);
    }
    this.#roots = this.#findRoots();
    this.#machine = new Machine(this.#spec());
    this.#loaded = this.#machine.pes.map(() => new Set<number>());
    this.#report = new Report(this.#machine);
  }

  verdict(): TraceVerdict {
    const machine = this.#machine;
    const scene: Scene = {
      machine,
      report: this.#report,
      duties: [],
      countBase: -1,
      invariants: [],
    };
    const oracles = [breakBeforeMake, freedTable].map((spec) => {
      const oracle = spec.create(scene);
      machine.listen(oracle, spec.listens, spec.claims);
      return oracle;
    });
    machine.listen(
      { onEvent: (_kind, _word, old, next, where) => this.#changed(old, next, where) },
      [Event.Descriptor],
    );
    this.#roots.forEach(({ location }, index) => {
      const frame = this.#frame(location);
      machine.pages.role[frame] = Role.Table;
      machine.tables.plant(index, frame);
    });
    machine.load(
      machine.actors.map((actor) => [
        { key: 'trace', implicit: false, start: (self) => this.#body(self, actor.index) },
      ]),
    );
    machine.run(new InOrder(() => this.#records[this.#next]?.tid ?? 0), LIMITS);
    const { violation } = this.#report;
    return {
      records: this.#records.length,
      judgements: oracles.reduce((sum, { judgements }) => sum + judgements, 0),
      overlooked: this.#overlooked,
      finding: violation === undefined ? undefined : this.#finding(violation),
    };
  }

  #finding({ oracle, rule }: Violation): TraceFinding {
    return { oracle, rule, record: this.#records[this.#current]! };
  }

  // ---- what the trace is about ----

  #findRoots(): Root[] {
    const roots = new Map<bigint, Root>();
    for (const { event } of this.#records) {
      if (event.kind === 'hint' && event.hint === 'set_root_lock') {
        if (!roots.has(event.location))
          roots.set(event.location, { location: event.location, isGuest: true, vmid: -1 });
      } else if (event.kind === 'sysreg-write') {
        const location = event.value & ADDRESS_MASK;
        const isGuest = event.register === 'vttbr_el2';
        const vmid = isGuest ? this.#vmid(event.value >> 48n) : -1;
        const known = roots.get(location);
        if (known === undefined || known.isGuest !== isGuest || known.vmid < 0)
          roots.set(location, { location, isGuest, vmid });
      }
    }
    if (roots.size === 0) throw new TraceFault(1, 1, 'the trace has no root (set_root_lock)');
    return [...roots.values()];
  }

  #vmid(value: bigint): number {
    const known = this.#vmids.get(value);
    if (known !== undefined) return known;
    this.#vmids.set(value, this.#vmids.size + 1);
    return this.#vmids.size;
  }

  #spec(): MachineSpec {
    const guest = this.#roots.findIndex(({ isGuest }) => isGuest);
    const hypervisor = this.#roots.findIndex(({ isGuest }) => !isGuest);
    const pes = 1 + this.#records.reduce((most, { tid }) => Math.max(most, tid), 0);
    return {
      frames: FRAMES,
      kernelFrames: 1,
      backedPages: 16,
      pes,
      actors: Array.from({ length: pes }, (_, pe) => ({ name: `thread${pe}`, role: 'host', pe })),
      locks: [],
      sectionDomains: 0,
      trees: this.#roots.map(({ isGuest, vmid }, index) => ({
        name: `root ${index}`,
        geometry: GEOMETRY,
        regime: isGuest ? Regime.Guest : Regime.Hypervisor,
        vmid,
        lock: -1,
        annotations: false,
        counted: false,
      })),
      guestTree: Math.max(guest, 0),
      hypervisorTree: Math.max(hypervisor, 0),
      hardwareAccessed: true,
    };
  }

  /** The frame that stands for a page; data pages get one when an entry names them. */
  #frame(address: bigint): number {
    const page = address & ADDRESS_MASK;
    const known = this.#frames.get(page);
    if (known !== undefined) return known;
    const frame = this.#frames.size + 1;
    if (frame >= FRAMES) throw this.#fault(`more than ${FRAMES} pages`);
    this.#frames.set(page, frame);
    return frame;
  }

  #fault(message: string): TraceFault {
    return new TraceFault(this.#records[Math.max(this.#current, 0)]!.line, 1, message);
  }

  // ---- making the records ----

  *#body(self: Actor, tid: number): Operation<number> {
    // the records of other threads come in between where the scheduler puts them
    for (let index = 0; index < this.#records.length; index += 1) {
      const record = this.#records[index]!;
      if (record.tid !== tid) continue;
      yield* this.#make(self, record, index);
      this.#next = Math.max(this.#next, index + 1);
    }
    return 0;
  }

  *#make(self: Actor, record: ReadRecord, index: number): Operation<number> {
    const { event } = record;
    // an event of its own without effect: here the thread waits for its turn
    yield* self.isb(at.read);
    this.#current = index;
    switch (event.kind) {
      case 'mem-init':
        for (let at = 0n; at < event.size; at += 0x1000n) this.#initialise(event.address + at);
        return 0;
      case 'mem-write':
        yield* this.#write(self, event.address, event.value);
        return 0;
      case 'barrier':
        if (event.domain !== 'isb') yield* self.dsb(at.barrier, this.#domain(event.domain));
        return 0;
      case 'tlbi':
        yield* this.#invalidate(self, event.operation, event.value);
        return 0;
      case 'sysreg-write':
        yield* this.#load(self, event.register, event.value);
        return 0;
      case 'hint':
        if (event.hint === 'release_table') yield* this.#release(self, event.location);
        return 0;
      default:
        // reads and locks change nothing that is judged here
        return 0;
    }
  }

  #initialise(address: bigint): void {
    const frame = this.#frame(address);
    const { memory, pages, tables } = this.#machine;
    if (tables.treeOf[frame]! >= 0) return;
    memory.zero(frame);
    pages.role[frame] = Role.Table;
    this.#unlinked.set(frame, new Map());
  }

  *#write(self: Actor, address: bigint, value: bigint): Operation<number> {
    const { memory, tables } = this.#machine;
    const known = this.#frames.get(address & ADDRESS_MASK);
    if (known === undefined) throw this.#fault(`a write to a page that was not initialised`);
    const index = Number((address & 0xfffn) >> 3n);
    if (tables.treeOf[known]! < 0) {
      this.#unlinked.get(known)?.set(index, value);
      return 0;
    }
    const level = tables.levelOf[known]!;
    yield* this.#fillChild(self, level, value);
    const word = this.#decode(value, level, tables.treeOf[known]!);
    yield* self.store(at.write, memory.address(known, index), word);
    return 0;
  }

  /** What was written to a table before it is linked. */
  *#fillChild(self: Actor, level: number, value: bigint): Operation<number> {
    if (level >= LAST_LEVEL || (value & 3n) !== 3n) return 0;
    const child = this.#frames.get(value & ADDRESS_MASK);
    if (child === undefined) throw this.#fault('a table that was not initialised is linked');
    const words = this.#unlinked.get(child);
    this.#unlinked.delete(child);
    for (const [index, bits] of words ?? []) {
      yield* this.#fillChild(self, level + 1, bits);
      const word = this.#decode(bits, level + 1, 0);
      yield* self.store(at.write, this.#machine.memory.address(child, index), word);
    }
    return 0;
  }

  #decode(value: bigint, level: number, tree: number): Descriptor {
    if ((value & 1n) === 0n) return decodeInvalid(value);
    const frame = this.#frame(value & ADDRESS_MASK);
    return decodeValid(value, level, frame, this.#roots[tree]!.isGuest);
  }

  #domain(name: string): Domain {
    const found = DOMAINS[name];
    if (found === undefined)
      throw this.#fault(`barrier of "${name}" (${Object.keys(DOMAINS).join(', ')}, isb)`);
    return found;
  }

  *#invalidate(self: Actor, name: string, value: bigint | undefined): Operation<number> {
    const isInner = name.endsWith('is');
    const operation = OPERATIONS[isInner ? name.slice(0, -2) : name];
    if (operation === undefined)
      throw this.#fault(`tlbi of "${name}" (${Object.keys(OPERATIONS).join(', ')}, with is)`);
    const share = isInner ? Shareability.Inner : Shareability.Local;
    const bits = value ?? 0n;
    const page = Number(bits & 0x3fff_ffffn);
    const hint =
      operation === Tlbi.Ipas2e1 || operation === Tlbi.Ipas2le1 ? Number((bits >> 44n) & 15n) : 0;
    yield* self.tlbi(at.invalidate, operation, share, page, hint, 1);
    return 0;
  }

  *#load(self: Actor, name: string, value: bigint): Operation<number> {
    const isGuest = name === 'vttbr_el2';
    if (!isGuest && name !== 'ttbr0_el2')
      throw this.#fault(`register "${name}" (vttbr_el2, ttbr0_el2)`);
    const location = value & ADDRESS_MASK;
    const tree = this.#roots.findIndex((root) => root.location === location);
    this.#loaded[self.pe]!.add(tree);
    const register = isGuest ? Register.Vttbr : Register.Ttbr0El2;
    const vmid = isGuest ? this.#vmid(value >> 48n) : 0;
    yield* self.writeRegister(at.register, register, baseRegister(this.#frame(location), vmid));
    return 0;
  }

  *#release(self: Actor, location: bigint): Operation<number> {
    const frame = this.#frames.get(location & ADDRESS_MASK);
    if (frame === undefined) throw this.#fault('a table that was not initialised is released');
    const tree = this.#roots.findIndex((root) => this.#frames.get(root.location) === frame);
    if (tree >= 0) this.#machine.claim(Claim.ContextRetired, tree, 0, 0);
    yield* self.free(at.release, frame);
    return 0;
  }

  // ---- TLBs ----

  /** What is taken out of a tree stays in the TLBs of all PEs that loaded it, with all that is below. */
  #changed(old: Descriptor, next: Descriptor, where: number): void {
    if (!isValid(old) || isValid(next)) return;
    const { tables } = this.#machine;
    this.#keepTree(placeTree(where), placeLevel(where), tables.changedFirst, old);
  }

  #keepTree(tree: number, level: number, first: number, word: Descriptor): void {
    const isGuest = this.#roots[tree]!.isGuest;
    if (level === LAST_LEVEL || !isTable(word)) {
      this.#keep(isGuest ? TlbKind.Leaf : TlbKind.Leaf2, tree, level, first, word);
      if (isGuest) this.#keep(TlbKind.Combined, tree, level, first, word);
      return;
    }
    this.#keep(isGuest ? TlbKind.Table : TlbKind.Table2, tree, level, first, word);
    const { memory } = this.#machine;
    const bits = levelShift(GEOMETRY, level + 1);
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const below = memory.load(memory.address(frameOf(word), index));
      if (isValid(below)) this.#keepTree(tree, level + 1, first + (index << bits), below);
    }
  }

  #keep(kind: TlbKind, tree: number, level: number, first: number, word: Descriptor): void {
    const machine = this.#machine;
    this.#loaded.forEach((loaded, pe) => {
      if (!loaded.has(tree)) return;
      const { tlb } = machine.pes[pe]!;
      const slot = tlb.count;
      if (slot === TLB_CAPACITY) {
        this.#overlooked += 1;
        return;
      }
      tlb.count = slot + 1;
      tlb.kind[slot] = kind;
      tlb.vmid[slot] = machine.tables.trees[tree]!.vmid;
      tlb.first[slot] = first;
      tlb.bits[slot] = levelShift(GEOMETRY, level);
      tlb.level[slot] = level;
      tlb.word[slot] = word;
      tlb.address[slot] = -1;
      tlb.instance[slot] = -1;
      tlb.generation[slot] = machine.pages.generation[frameOf(word)] ?? 0;
      tlb.row[slot] = machine.trace.count - 1;
    });
  }
}
