/**
 * What the tables say now: for every table page its tree, level and first input page, and for
 * every tree the abstract map from input page to entry (spec/arm.md 0.3, the function alpha).
 *
 * Kept up to date by each visible store, so that oracles ask in constant time. It only observes:
 * no walker and no model reads it.
 */
import { assert } from './assert.ts';
import { advance, frameOf, isLeaf, isTable, isValid } from './descriptor.ts';
import {
  checkGeometry,
  entriesPerTable,
  type Geometry,
  LAST_LEVEL,
  levelPages,
  levelShift,
} from './geometry.ts';
import type { Memory } from './memory.ts';

/** Translation regimes: guest (EL1&0 stage 2) and the hypervisor's own (EL2 stage 1). */
export const Regime = { Guest: 0, Hypervisor: 1 } as const;
export type Regime = (typeof Regime)[keyof typeof Regime];

/** A tree of tables, as the machine and the oracles know it. */
export interface TreeSpec {
  readonly name: string;
  readonly geometry: Geometry;
  readonly regime: Regime;
  /** Tag of the translations made from this tree, at boot; -1 where the regime has none, 0 for none yet. */
  readonly vmid: number;
  /** Lock under which stores to its tables are made. */
  readonly lock: number;
  /** True when invalid non-zero words are annotations that count as entries. */
  readonly annotations: boolean;
  /** Which invalid non-zero words are annotations; all when not given. */
  readonly isAnnotation?: (word: number) => boolean;
  /**
   * The entry that software knows by a word, in the form that hardware would see; where absent, software
   * knows what hardware sees.
   */
  readonly known?: (word: number) => number;
  /**
   * Software makes it from a table that the guest keeps: its input pages are not those that the host backs, and
   * claims about input pages do not speak of them. Input pages are the host's when not given.
   */
  readonly isDerived?: true;
  /** Leaves may carry the contiguous hint. */
  readonly hints?: boolean;
  /** Its table pages have reference counts. */
  readonly counted: boolean;
  /** The invalid word of an entry that somebody has taken to replace it; 0 or absent where none is used. */
  readonly busy?: number;
  /** Section domain inside which the holders of the shared lock walk; absent when they need none. */
  readonly readers?: number;
  /** By kind of work (card.ts): kinds that may go on at the same time, as a bit mask; absent: no rule. */
  readonly together?: readonly number[];
  /** Kinds of work that need the lock exclusively, as a bit mask; none when not given. */
  readonly alone?: number;
  /** Who runs with this tree, where pages have owners (ownership.ts); -1 or absent: nobody of them. */
  readonly component?: number;
}

export class Tree {
  readonly index: number;
  readonly name: string;
  readonly geometry: Geometry;
  readonly regime: Regime;
  /** Tag of its translations now; 0 while it has none. */
  vmid: number;
  /** Tags that it has had, as a bit mask; kept only where trees are tagged anew. */
  pastVmids = 0;
  readonly lock: number;
  readonly annotations: boolean;
  readonly isAnnotation: (word: number) => boolean;
  readonly known: ((word: number) => number) | undefined;
  readonly isDerived: boolean;
  readonly hints: boolean;
  readonly counted: boolean;
  readonly busy: number;
  readonly readers: number | undefined;
  readonly together: readonly number[] | undefined;
  readonly alone: number;
  readonly component: number;
  root = 0;
  /** False from the moment when nobody can find it any more, and before it is planted. */
  live = false;
  /** False from the moment when no PE can use it any more, though software may still walk it. */
  loadable = false;
  /** References to its tables are counted now; always, but for trees that begin without. */
  counts = true;
  /** Abstract entry per input page: a leaf advanced to the page, an annotation, or 0. */
  readonly entries: Int32Array;
  /** The entries of the range that the last update changed, as they were. */
  readonly before: Int32Array;
  /** Level of the leaf behind each entry; meaningless where the entry is 0. */
  readonly levels: Uint8Array;
  readonly levelsBefore: Uint8Array;
  /** By frame: input pages whose entry is a leaf that names it. */
  readonly mapped: Int32Array;

  /** @param frames frames of the machine; leaves may name others, which are not counted */
  constructor(index: number, spec: TreeSpec, frames: number) {
    checkGeometry(spec.geometry);
    this.index = index;
    this.name = spec.name;
    this.geometry = spec.geometry;
    this.regime = spec.regime;
    this.vmid = spec.vmid;
    this.lock = spec.lock;
    this.annotations = spec.annotations;
    this.isAnnotation = spec.isAnnotation ?? isAny;
    this.known = spec.known;
    this.isDerived = spec.isDerived ?? false;
    this.hints = spec.hints ?? false;
    this.counted = spec.counted;
    this.busy = spec.busy ?? 0;
    this.readers = spec.readers;
    this.together = spec.together;
    this.alone = spec.alone ?? 0;
    this.component = spec.component ?? -1;
    const pages = spec.geometry.windowPages;
    this.entries = new Int32Array(pages);
    this.before = new Int32Array(pages);
    this.levels = new Uint8Array(pages);
    this.levelsBefore = new Uint8Array(pages);
    this.mapped = new Int32Array(frames);
  }
}

function isAny(): boolean {
  return true;
}

/** Receives what an update changed. Implemented by the machine. */
export interface TableObserver {
  linked(frame: number, level: number, first: number, word: number): void;
  unlinked(frame: number, level: number, first: number, word: number): void;
}

export class Tables {
  readonly trees: readonly Tree[];
  /** Tree of each frame that is a table linked into one, or -1. */
  readonly treeOf: Int8Array;
  readonly levelOf: Int8Array;
  readonly firstOf: Int32Array;
  /** Word that names the table; -1 for root pages. */
  readonly parentOf: Int32Array;
  /** Pages changed by the last update, inside the window. */
  changedFirst = 0;
  changedCount = 0;
  readonly #memory: Memory;
  readonly #observer: TableObserver;
  /** Tags at boot. */
  readonly #vmids: readonly number[];

  constructor(memory: Memory, observer: TableObserver, specs: readonly TreeSpec[]) {
    this.#memory = memory;
    this.#observer = observer;
    this.trees = specs.map((spec, index) => new Tree(index, spec, memory.frames));
    this.#vmids = specs.map(({ vmid }) => vmid);
    this.treeOf = new Int8Array(memory.frames).fill(-1);
    this.levelOf = new Int8Array(memory.frames);
    this.firstOf = new Int32Array(memory.frames);
    this.parentOf = new Int32Array(memory.frames);
  }

  reset(): void {
    this.treeOf.fill(-1);
    for (const tree of this.trees) {
      tree.entries.fill(0);
      tree.mapped.fill(0);
      tree.vmid = this.#vmids[tree.index]!;
      // 0 is what an operation finds that looks before there is one
      tree.pastVmids = tree.vmid === 0 ? 1 : 0;
      tree.live = false;
      tree.loadable = false;
      tree.root = 0;
    }
    this.changedCount = 0;
  }

  /** The pages from `root` become the root of a tree; all zero at this point. */
  plant(index: number, root: number): void {
    const tree = this.trees[index]!;
    const { geometry } = tree;
    const pages = entriesPerTable(geometry) * levelPages(geometry, geometry.startLevel);
    for (let i = 0; i < geometry.rootPages; i += 1) {
      this.treeOf[root + i] = index;
      this.levelOf[root + i] = geometry.startLevel;
      // roots of large tables cover more than a page number holds: only the window matters
      this.firstOf[root + i] = Math.min(i * pages, 0x40000000);
      this.parentOf[root + i] = -1;
    }
    tree.root = root;
    tree.live = true;
    tree.counts = true;
    tree.loadable = true;
  }

  /** Translations of the tree have this tag from now on, and no other tree's have it; -1 for no tree. */
  tag(index: number, vmid: number): void {
    for (const tree of this.trees) {
      if (tree.index !== index && tree.vmid === vmid) tree.vmid = 0;
    }
    const tree = this.trees[index];
    if (tree === undefined) return;
    tree.vmid = vmid;
    tree.pastVmids |= 1 << vmid;
  }

  /** The root is no table of a tree any more: its entries vanish from the abstract map. */
  uproot(index: number): void {
    const tree = this.trees[index]!;
    for (let frame = 0; frame < this.treeOf.length; frame += 1) {
      if (this.treeOf[frame] === index) this.treeOf[frame] = -1;
    }
    tree.entries.fill(0);
    tree.mapped.fill(0);
    tree.live = false;
    tree.loadable = false;
  }

  /** Follows a visible change of a word in a linked table page. The word holds `stored` already. */
  update(word: number, displaced: number, stored: number): void {
    const frame = this.#memory.frame(word);
    const tree = this.trees[this.treeOf[frame]!]!;
    const old = tree.known === undefined ? displaced : tree.known(displaced);
    const next = tree.known === undefined ? stored : tree.known(stored);
    const level = this.levelOf[frame]!;
    const { geometry } = tree;
    const index = this.#memory.index(word);
    const pages = levelPages(geometry, level);
    const first = this.firstOf[frame]! + index * pages;
    const window = geometry.windowPages;
    const count = first >= window ? 0 : first + pages > window ? window - first : pages;
    this.changedFirst = first;
    this.changedCount = count;

    for (let page = first; page < first + count; page += 1) {
      tree.before[page] = tree.entries[page]!;
      tree.levelsBefore[page] = tree.levels[page]!;
    }
    const hasTables = level < LAST_LEVEL;
    // software hides a table from hardware, or shows it again: it stays where it is
    if (hasTables && isTable(old) && old === next) return;
    if (hasTables && isTable(old) && frameOf(old) < this.#memory.frames)
      this.#unlink(frameOf(old), word);
    if (hasTables && isTable(next) && frameOf(next) < this.#memory.frames)
      this.#link(tree, frameOf(next), level + 1, first, word);
    else this.#fill(tree, first, count, level, this.#abstract(tree, next, level));
  }

  /** The entry that a word at `level` stands for; a reserved form is no entry. */
  #abstract(tree: Tree, word: number, level: number): number {
    if (isLeaf(word)) {
      return level === LAST_LEVEL || tree.geometry.blockLevels.includes(level) ? word : 0;
    }
    return !isValid(word) && tree.annotations && tree.isAnnotation(word) ? word : 0;
  }

  #fill(tree: Tree, first: number, count: number, level: number, entry: number): void {
    const isMapped = isValid(entry);
    const { entries, mapped } = tree;
    for (let i = 0; i < count; i += 1) {
      const old = entries[first + i]!;
      // frames of other machines have no place in the array, and no effect
      if (isValid(old)) mapped[frameOf(old)]! -= 1;
      const next = isMapped ? advance(entry, i) : entry;
      if (isMapped) mapped[frameOf(next)]! += 1;
      entries[first + i] = next;
      tree.levels[first + i] = level;
    }
  }

  #link(tree: Tree, frame: number, level: number, first: number, parent: number): void {
    assert(frame < this.#memory.frames, 'a table lies in this machine');
    this.#observer.linked(frame, level, first, parent);
    this.treeOf[frame] = tree.index;
    this.levelOf[frame] = level;
    this.firstOf[frame] = first;
    this.parentOf[frame] = parent;
    const { geometry } = tree;
    const shift = levelShift(geometry, level);
    const pages = levelPages(geometry, level);
    const window = geometry.windowPages;
    for (let index = 0; index < entriesPerTable(geometry); index += 1) {
      const from = first + (index << shift);
      if (from >= window) break;
      const raw = this.#memory.load(this.#memory.address(frame, index));
      const word = tree.known === undefined ? raw : tree.known(raw);
      const count = from + pages > window ? window - from : pages;
      if (level < LAST_LEVEL && isTable(word) && frameOf(word) < this.#memory.frames) {
        const child = frameOf(word);
        const address = this.#memory.address(frame, index);
        if (this.treeOf[child]! < 0) this.#link(tree, child, level + 1, from, address);
        else {
          // linked already, may be above itself: told, and not followed a second time
          this.#observer.linked(child, level + 1, from, address);
          this.#fill(tree, from, count, level, 0);
        }
      } else {
        this.#fill(tree, from, count, level, this.#abstract(tree, word, level));
      }
    }
  }

  #unlink(frame: number, parent: number): void {
    if (this.parentOf[frame] !== parent || this.treeOf[frame]! < 0) return;
    const level = this.levelOf[frame]!;
    // told while it still belongs to its tree
    this.#observer.unlinked(frame, level, this.firstOf[frame]!, parent);
    const { known } = this.trees[this.treeOf[frame]!]!;
    this.treeOf[frame] = -1;
    if (level >= LAST_LEVEL) return;
    for (let index = 0; index < this.#memory.wordsPerPage; index += 1) {
      const address = this.#memory.address(frame, index);
      const raw = this.#memory.load(address);
      const word = known === undefined ? raw : known(raw);
      if (isTable(word) && frameOf(word) < this.#memory.frames)
        this.#unlink(frameOf(word), address);
    }
  }
}
