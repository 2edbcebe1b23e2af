/**
 * The state of the machine as changes per trace row: table entries, TLBs, invalidations on their way, locks, pages,
 * variables, registers. Made from the trace and a picture of the memory before the first event.
 */
import { REGISTER_NAMES } from '../../sim/access.ts';
import { Claim } from '../../sim/claims.ts';
import { describe, frameOf, isTable } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { LAST_LEVEL, levelPages } from '../../sim/geometry.ts';
import { Mode } from '../../sim/locks.ts';
import { ROLE_NAMES, Role } from '../../sim/pages.ts';
import { place } from '../../sim/place.ts';
import { TLB_KIND_NAMES } from '../../sim/tlb.ts';
import type { Row } from '../../sim/trace.ts';
import { entryText, hex, tlbiText } from '../describe.ts';
import { shortName } from '../sentence.ts';
import type { Session } from '../session.ts';
import { Numbered } from './tables.ts';
import type { StateGroup, StateKey, StateValue, ViewTree } from './view.ts';

/** Where a table page is linked. */
interface TablePlace {
  readonly tree: number;
  readonly level: number;
  readonly first: number;
}

/** What memory and tables hold before the first event. */
export interface Picture {
  readonly words: ReadonlyMap<number, number>;
  readonly tables: ReadonlyMap<number, TablePlace>;
  readonly roots: readonly number[];
  readonly roles: Uint8Array;
  /** Rows until then. */
  readonly rows: number;
}

/** Taken when a run begins. */
export function pictureOf({ machine }: Session): Picture {
  const { memory, tables, pages, spec } = machine;
  const words = new Map<number, number>();
  const places = new Map<number, TablePlace>();
  const take = (frame: number): void => {
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const address = memory.address(frame, index);
      const value = memory.load(address);
      if (value !== 0) words.set(address, value);
    }
  };
  for (let frame = 0; frame < spec.kernelFrames; frame += 1) take(frame);
  for (let frame = 0; frame < memory.frames; frame += 1) {
    const tree = tables.treeOf[frame]!;
    if (tree < 0) continue;
    places.set(frame, { tree, level: tables.levelOf[frame]!, first: tables.firstOf[frame]! });
    take(frame);
  }
  const roots = tables.trees.map(({ live, root }) => (live ? root : -1));
  return { words, tables: places, roots, roles: pages.role.slice(), rows: machine.trace.count };
}

const GONE = -1;
const BOOT_ROW = -1;

export class StateRecorder {
  readonly keys = new Numbered<StateKey>();
  readonly values = new Numbered<StateValue>();
  readonly initial: [number, number][] = [];
  readonly row: number[] = [];
  readonly key: number[] = [];
  readonly value: number[] = [];
  readonly #session: Session;
  readonly #words: Map<number, number>;
  readonly #tables: Map<number, TablePlace>;
  readonly #roots: number[];
  /** By lock: holders as text. */
  readonly #holders: Map<number, string>[];
  /** By fill row: PE of the TLB that holds it. */
  #now = BOOT_ROW;

  constructor(session: Session, picture: Picture) {
    this.#session = session;
    this.#words = new Map(picture.words);
    this.#tables = new Map(picture.tables);
    this.#roots = [...picture.roots];
    this.#holders = session.machine.locks.specs.map(() => new Map());
    this.#boot(picture);
  }

  /** Shapes of the trees; the roots are values. */
  get trees(): readonly ViewTree[] {
    return this.#session.machine.tables.trees.map(({ name, geometry, index }) => ({
      name,
      rootKey: this.#rootKey(index),
      startLevel: geometry.startLevel,
      bitsPerLevel: geometry.bitsPerLevel,
      rootPages: geometry.rootPages,
      windowPages: geometry.windowPages,
    }));
  }

  #boot({ roles }: Picture): void {
    const { machine } = this.#session;
    this.#roots.forEach((frame, tree) => {
      if (frame >= 0) this.#set(this.#rootKey(tree), `page ${frame}`, frame);
    });
    for (const address of this.#words.keys()) this.#word(address);
    for (let frame = machine.spec.kernelFrames; frame < roles.length; frame += 1)
      if (roles[frame] !== Role.Free) this.#page(frame, ROLE_NAMES[roles[frame]!]!);
  }

  /** Notes what a row changes. Rows come in order. */
  add(row: Row): void {
    this.#now = row.row;
    const { a, b, c, d } = row;
    const { machine } = this.#session;
    const pe = row.actor < 0 ? 0 : machine.actors[row.actor]!.pe;
    switch (row.kind) {
      case Event.StoreVisible:
        this.#store(a, c);
        if (machine.delays) this.#drop('store', `store ${pe} ${a}`);
        return;
      case Event.WalkRead:
        // what a guest left in a page is seen first by whoever walks it
        if ((this.#words.get(a) ?? 0) !== b) this.#store(a, b);
        return;
      case Event.StoreIssue:
        this.#put('store', `store ${pe} ${a}`, `PE ${pe}: ${this.#nameOf(a)}`, describe(c), pe);
        return;
      case Event.Allocate:
        if (!machine.delays) this.#zero(a);
        this.#page(a, `${ROLE_NAMES[b]} of ${shortName(this.#session, row.operation)}`);
        return;
      case Event.Zeroed:
        this.#zero(a);
        return;
      case Event.Free:
        this.#page(a, 'free');
        return;
      case Event.Linked:
        this.#link(a, b, c, d);
        return;
      case Event.Unlinked:
        this.#tables.delete(a);
        this.#page(a, 'table, not linked');
        return;
      case Event.TlbFill:
        this.#fill(row);
        return;
      case Event.TlbDrop:
        this.#drop('tlb', `tlb ${d}`);
        return;
      case Event.InvalidateIssue:
        this.#issue(row);
        return;
      case Event.InvalidateArrive:
        this.#drop('invalidation', `invalidation ${c} ${b}`);
        return;
      case Event.LockTake:
      case Event.LockDrop:
        this.#lock(row);
        return;
      case Event.SectionEnter:
      case Event.SectionExit:
        this.#section(row);
        return;
      case Event.Register:
      case Event.RegisterEffect: {
        const at = row.kind === Event.RegisterEffect ? c : pe;
        const text = `page ${b >>> 8}, tag ${b & 0xff}`;
        this.#put('register', `register ${at} ${a}`, `PE ${at}: ${REGISTER_NAMES[a]}`, text, at);
        return;
      }
      case Event.Claim:
        this.#claim(a, b, c);
        return;
      default:
        return;
    }
  }

  #claim(claim: number, x: number, y: number): void {
    if (claim === Claim.HostGrants) this.#page(y, `data, granted for ${hex(x)}`);
    else if (claim === Claim.HostRevokes) this.#page(y, `data, revoked from ${hex(x)}`);
    else if (claim === Claim.OwnershipChanged) this.#page(x, `owner ${y}`);
    else if (claim === Claim.ContextRetired) this.#drop('root', `root ${x}`);
    else if (claim === Claim.ContextCreated) this.#plant(x, y);
  }

  #plant(tree: number, frame: number): void {
    const { geometry } = this.#session.machine.tables.trees[tree]!;
    this.#tables.set(frame, { tree, level: geometry.startLevel, first: 0 });
    this.#set(this.#rootKey(tree), `page ${frame}`, frame);
    this.#page(frame, 'root table');
    this.#retell(frame);
  }

  /** A page becomes a table: what its words mean is known from now on. */
  #link(frame: number, level: number, first: number, parent: number): void {
    const { memory } = this.#session.machine;
    const above = this.#tables.get(memory.frame(parent));
    if (above !== undefined) this.#tables.set(frame, { tree: above.tree, level, first });
    this.#page(frame, `table, level ${level} from ${hex(first)}`);
    this.#retell(frame);
  }

  #retell(frame: number): void {
    const { memory } = this.#session.machine;
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const address = memory.address(frame, index);
      const value = this.#words.get(address) ?? 0;
      if (value === 0) continue;
      this.#word(address);
      // tables below it that were filled before it was linked
      const below = this.#tables.get(frame);
      if (below === undefined || below.level >= LAST_LEVEL || !isTable(value)) continue;
      const child = frameOf(value);
      if (this.#tables.get(child)?.tree !== below.tree) this.#retell(child);
    }
  }

  #store(address: number, value: number): void {
    if (value === 0) this.#words.delete(address);
    else this.#words.set(address, value);
    this.#word(address);
  }

  #zero(frame: number): void {
    const { memory } = this.#session.machine;
    for (let index = 0; index < memory.wordsPerPage; index += 1) {
      const address = memory.address(frame, index);
      if (this.#words.has(address)) this.#store(address, 0);
    }
  }

  #nameOf(address: number): string {
    const { machine, world } = this.#session;
    const { memory } = machine;
    const frame = memory.frame(address);
    return world.nameWord?.(address) ?? `page ${frame} entry ${memory.index(address)}`;
  }

  /** Tells what a word holds now. */
  #word(address: number): void {
    const { machine } = this.#session;
    const { memory, spec } = machine;
    const frame = memory.frame(address);
    const value = this.#words.get(address) ?? 0;
    const isVariable = frame < spec.kernelFrames;
    const label = this.#nameOf(address);
    const group: StateGroup = isVariable ? 'variable' : 'entry';
    const key = this.#key(group, `word ${address}`, label, frame, memory.index(address));
    if (isVariable) this.#set(key, String(value), -1);
    else if (value === 0) this.#set(key, undefined, -1);
    else this.#set(key, ...this.#entry(frame, value));
  }

  /** An entry in words, and the table that it names. */
  #entry(frame: number, value: number): [string, number] {
    const at = this.#tables.get(frame);
    const isLinking = isTable(value) && (at?.level ?? 0) < LAST_LEVEL;
    const child = isLinking ? frameOf(value) : -1;
    if (at === undefined) return [describe(value), child];
    const { world } = this.#session;
    const where = place(at.tree, at.level, false);
    const short = entryText(this.#session, where, value);
    return [world.describeEntry?.(at.tree, at.level, value) ?? short, child];
  }

  #fill({ row, a, b, c, site }: Row): void {
    const pe = a & 0xff;
    const kind = TLB_KIND_NAMES[a >>> 8]!;
    const { machine, directory } = this.#session;
    const level = Number(/level(-?\d)$/.exec(directory.name(site))?.[1] ?? LAST_LEVEL);
    const { geometry } = machine.tables.trees[machine.spec.guestTree]!;
    const pages = levelPages(geometry, level);
    const span = pages > 1 ? `${hex(b)} to ${hex(b + pages - 1)}` : hex(b);
    this.#put('tlb', `tlb ${row}`, `PE ${pe}: ${kind} ${span}`, describe(c), pe);
  }

  #issue({ row, a, b, c, d, operation }: Row): void {
    const text = `${tlbiText(a, b, c)} by ${shortName(this.#session, operation)}`;
    for (let pe = 0; pe < this.#session.machine.pes.length; pe += 1) {
      if ((d & (1 << pe)) === 0) continue;
      this.#put('invalidation', `invalidation ${row} ${pe}`, `to PE ${pe}`, text, pe);
    }
  }

  #lock({ kind, a, b, actor, operation }: Row): void {
    const holders = this.#holders[a]!;
    const mode = b === Mode.Shared ? 'shared' : 'exclusive';
    if (kind === Event.LockDrop) holders.delete(actor);
    else holders.set(actor, `${shortName(this.#session, operation)} (${mode})`);
    const { name } = this.#session.machine.locks.specs[a]!;
    const key = this.#key('lock', `lock ${a}`, name, a, 0);
    this.#set(key, holders.size === 0 ? undefined : [...holders.values()].join(', '), -1);
  }

  #section({ kind, a, actor, operation }: Row): void {
    const key = `section ${a} ${actor}`;
    if (kind === Event.SectionExit) this.#drop('section', key);
    else this.#put('section', key, `domain ${a}`, shortName(this.#session, operation), a);
  }

  #page(frame: number, text: string): void {
    this.#set(this.#key('page', `page ${frame}`, `page ${frame}`, frame, 0), text, -1);
  }

  #rootKey(tree: number): number {
    const { name } = this.#session.machine.tables.trees[tree]!;
    return this.#key('root', `root ${tree}`, name, tree, 0);
  }

  #key(group: StateGroup, key: string, label: string, at: number, index: number): number {
    return this.keys.of(key, () => ({ group, label, place: at, index }));
  }

  #put(group: StateGroup, key: string, label: string, text: string, at: number): void {
    this.#set(this.#key(group, key, label, at, 0), text, -1);
  }

  #drop(group: StateGroup, key: string): void {
    const known = this.keys.find(key);
    if (known !== undefined && this.keys.list[known]!.group === group)
      this.#set(known, undefined, -1);
  }

  #set(key: number, text: string | undefined, child: number): void {
    const value =
      text === undefined ? GONE : this.values.of(`${child} ${text}`, () => ({ text, child }));
    if (this.#now === BOOT_ROW) {
      if (value !== GONE) this.initial.push([key, value]);
      return;
    }
    this.row.push(this.#now);
    this.key.push(key);
    this.value.push(value);
  }
}
