/**
 * Claim: a page that changes hands is memory and goes from one owner alone to another alone; nobody can reach a page,
 * by table, cached translation or walk, who was not let; the hypervisor clears no page that somebody else uses; and
 * whenever the lock of ownership is released, what each component has written down about a page is what was said.
 *
 * Why it matters: protection is nothing but these: one page with two owners is a guest without walls.
 * Blind to: components that keep no record; writes of software that go through no translation, but for clearing; what happens
 * between two releases of the lock.
 * Cost: the pages covered per descriptor; constant per access; a scan of TLBs when a right is withdrawn; each memory
 * page once per release of the lock.
 * Source: spec/arm.md 6.5 invariants O and X, 6.7; amendment E16. Zoo oracle OWN.
 */
import { Claim } from '../sim/claims.ts';
import { frameOf, isValid } from '../sim/descriptor.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { type Ownership, PageState, statesMask } from '../sim/ownership.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import { Regime, type Tree } from '../sim/tables.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';
import { liveTreeOf, nextTranslation, Translation } from './translations.ts';

export const ownership: OracleSpec = {
  id: 'ownership',
  claim: 'a page is reached only by those whom its owner lets, and all records agree about it',
  listens: [Event.Claim, Event.Use, Event.Descriptor, Event.LockDrop, Event.Zeroed],
  claims: [Claim.OwnershipChanged],
  concerns: (scene) => scene.ownership !== undefined,
  create: (scene) => new OwnershipOracle(scene),
};

class OwnershipOracle implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #held = new Translation();
  readonly #system: Ownership | undefined;
  /** By frame: who owns it, and who may reach it. */
  readonly #owner: Uint8Array;
  readonly #reach: Uint8Array;
  /** By owner and reach: what records say then; the part of it that is recorded. */
  readonly #expected: Uint32Array;
  readonly #reaches: number;
  readonly #recorded: number;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#system = scene.ownership;
    const { components = [], recording = 0 } = scene.ownership ?? {};
    this.#expected = expectedStates(components.length);
    this.#reaches = 1 << components.length;
    this.#recorded = statesMask(recording);
    this.#owner = new Uint8Array(scene.machine.spec.frames);
    this.#reach = new Uint8Array(scene.machine.spec.frames);
  }

  reset(): void {
    const system = this.#system;
    if (system === undefined) return;
    for (let frame = system.first; frame < system.first + system.count; frame += 1) {
      const owner = system.ownerAtBoot(frame);
      this.#owner[frame] = owner;
      this.#reach[frame] = 1 << owner;
    }
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    const system = this.#system;
    if (system === undefined) return;
    if (kind === Event.Use) this.#used(a, b, c >>> 4, d);
    else if (kind === Event.Descriptor) {
      if (isValid(c) && !placeIsHardware(d)) this.#mapped(a, placeTree(d));
    } else if (kind === Event.LockDrop) {
      if (a === system.lock) this.#agree(system);
    } else if (kind === Event.Zeroed) this.#cleared(system, a);
    else this.#changed(system, b, c, d);
  }

  #isTracked(frame: number): boolean {
    const system = this.#system!;
    return frame >= system.first && frame < system.first + system.count;
  }

  #mayReach(component: number, frame: number): boolean {
    return !this.#isTracked(frame) || (this.#reach[frame]! & (1 << component)) !== 0;
  }

  #used(page: number, frame: number, regime: number, row: number): void {
    const { machine, report } = this.#scene;
    const { vttbr, index } = machine.pes[machine.actors[machine.actor]!.pe]!;
    const vmid = regime === Regime.Guest ? vttbr & 0xff : -1;
    const tree = machine.tables.trees.find((one) => one.regime === regime && one.vmid === vmid);
    if (tree === undefined || tree.component < 0) return;
    this.judgements += 1;
    if (this.#mayReach(tree.component, frame)) return;
    report.add('ownership', 'used', 'page', {
      page,
      frame,
      pe: index,
      survivor: row,
      expected: this.#owner[frame]!,
      found: tree.component,
    });
  }

  #mapped(word: number, index: number): void {
    const { machine, report } = this.#scene;
    const { tables } = machine;
    const tree = tables.trees[index]!;
    if (tree.component < 0 || !tree.loadable) return;
    const end = tables.changedFirst + tables.changedCount;
    for (let page = tables.changedFirst; page < end; page += 1) {
      const entry = tree.entries[page]!;
      if (!isValid(entry)) continue;
      this.judgements += 1;
      const frame = frameOf(entry);
      if (this.#mayReach(tree.component, frame)) continue;
      report.add('ownership', 'mapped', 'page', {
        page,
        frame,
        word,
        expected: this.#owner[frame]!,
        found: tree.component,
      });
      return;
    }
  }

  #cleared(system: Ownership, frame: number): void {
    if (!this.#isTracked(frame)) return;
    this.judgements += 1;
    const reach = this.#reach[frame]!;
    if (reach === 0 || (reach & (1 << system.hypervisor)) !== 0) return;
    this.#scene.report.add('ownership', 'cleared', 'page', {
      frame,
      expected: this.#owner[frame]!,
    });
  }

  #changed(system: Ownership, frame: number, owner: number, reach: number): void {
    const { report } = this.#scene;
    this.judgements += 1;
    const { memoryFirst, memoryCount } = system;
    if (frame < memoryFirst || frame >= memoryFirst + memoryCount) {
      report.add('ownership', 'not-memory', 'page', { frame, found: owner });
      return;
    }
    const before = this.#owner[frame]!;
    const alone = (1 << before) | (1 << owner);
    if (owner !== before) {
      if ((this.#reach[frame]! & ~alone) !== 0 || (reach & ~(1 << owner)) !== 0) {
        report.add('ownership', 'given-while-shared', 'page', {
          frame,
          expected: before,
          found: owner,
        });
        return;
      }
      if (before === system.hypervisor && system.references(frame) !== 0) {
        report.add('ownership', 'given-while-referenced', 'page', {
          frame,
          found: system.references(frame),
        });
        return;
      }
    }
    const withdrawn = this.#reach[frame]! & ~reach;
    this.#owner[frame] = owner;
    this.#reach[frame] = reach;
    if (withdrawn !== 0) this.#outOfReach(withdrawn, frame);
  }

  /** No component of the mask can use the page any more. */
  #outOfReach(components: number, frame: number): void {
    const { machine, report } = this.#scene;
    // while the machine is put together nothing is cached yet
    if (machine.events === 0) return;
    for (const tree of machine.tables.trees) {
      if (!tree.loadable || (components & (1 << tree.component)) === 0) continue;
      const page = this.#pageThatMaps(tree, frame);
      if (page < 0) continue;
      report.add('ownership', 'still-mapped', 'page', { page, frame, found: tree.component });
      return;
    }
    const held = this.#held;
    for (
      let at = nextTranslation(machine, 0, held);
      at >= 0;
      at = nextTranslation(machine, at, held)
    ) {
      if (held.isTable) continue;
      const offset = frame - frameOf(held.word);
      if (offset < 0 || offset >= 1 << held.bits) continue;
      const tree = liveTreeOf(machine, held);
      if (tree === undefined || (components & (1 << tree.component)) === 0) continue;
      report.add('ownership', 'still-reachable', 'page', {
        page: held.first + offset,
        frame,
        pe: held.pe,
        survivor: held.row,
        found: tree.component,
      });
      return;
    }
  }

  #pageThatMaps(tree: Tree, frame: number): number {
    const { entries } = tree;
    for (let page = 0; page < entries.length; page += 1) {
      if (isValid(entries[page]!) && frameOf(entries[page]!) === frame) return page;
    }
    return -1;
  }

  #agree(system: Ownership): void {
    const { report } = this.#scene;
    const end = system.memoryFirst + system.memoryCount;
    for (let frame = system.memoryFirst; frame < end; frame += 1) {
      this.judgements += 1;
      const owner = this.#owner[frame]!;
      const expected = this.#expected[owner * this.#reaches + this.#reach[frame]!]!;
      const differ = (system.states(frame) ^ expected) & this.#recorded;
      if (differ !== 0) {
        this.#recordsDiffer(frame, differ, expected);
        return;
      }
      const isAlone = this.#reach[frame] === 1 << this.#owner[frame]!;
      if (!isAlone || this.#owner[frame] === system.hypervisor) continue;
      const references = system.references(frame);
      if (references === 0) continue;
      report.add('ownership', 'referenced', 'page', { frame, expected: 0, found: references });
      return;
    }
  }

  /** The first component whose two bits differ. */
  #recordsDiffer(frame: number, differ: number, expected: number): void {
    const component = (31 - Math.clz32(differ & -differ)) >>> 1;
    const stateIn = (states: number): number => (states >>> (2 * component)) & 3;
    this.#scene.report.add('ownership', 'records-differ', 'page', {
      frame,
      page: component,
      expected: stateIn(expected),
      found: stateIn(expected ^ differ),
    });
  }
}

/** What a component's record says of a page, given its owner and who may reach it. */
function stateOf(component: number, owner: number, reach: number): PageState {
  if (owner === component)
    return reach === 1 << component ? PageState.Owned : PageState.SharedOwned;
  return (reach & (1 << component)) !== 0 ? PageState.SharedBorrowed : PageState.None;
}

/** By owner and reach: the states of all components, as `Ownership.states` has them. */
function expectedStates(components: number): Uint32Array {
  const reaches = 1 << components;
  const table = new Uint32Array(components * reaches);
  for (let owner = 0; owner < components; owner += 1) {
    for (let reach = 0; reach < reaches; reach += 1) {
      for (let component = 0; component < components; component += 1)
        table[owner * reaches + reach]! |= stateOf(component, owner, reach) << (2 * component);
    }
  }
  return table;
}
