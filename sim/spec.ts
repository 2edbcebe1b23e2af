/**
 * What a machine is made of, what it runs, and who is told of it: data that systems, engine and oracles
 * give to a machine. Nothing here does anything.
 */
import type { Actor, ActorRole, Operation } from './actor.ts';
import type { EventCode } from './event.ts';
import type { TranslationHardware } from './hardware.ts';
import type { LockSpec } from './locks.ts';
import type { Reserved } from './pages.ts';
import type { StoreOrder } from './stores.ts';
import type { TreeSpec } from './tables.ts';

/** An actor of a machine. */
export interface ActorSpec {
  readonly name: string;
  readonly role: ActorRole;
  readonly pe: number;
  /** Tree of the guest that it runs or serves; MachineSpec.guestTree when not given. */
  readonly tree?: number;
}

/** Everything about a machine that does not change between runs. */
export interface MachineSpec {
  readonly frames: number;
  /** The first frames: kernel variables, never in the pool. */
  readonly kernelFrames: number;
  readonly backedPages: number;
  readonly pes: number;
  readonly actors: readonly ActorSpec[];
  readonly locks: readonly LockSpec[];
  readonly sectionDomains: number;
  readonly trees: readonly TreeSpec[];
  /** Its operations make and walk tables; true when not given. Where they do not, trees say how large pages are and no more. */
  readonly hasTables?: boolean;
  /** Its operations free pages; true when not given. Where they do not, nobody can reach one that was freed. */
  readonly frees?: boolean;
  /** Trees whose geometry the guest and the hypervisor regime of every PE use; other guests' have the same. */
  readonly guestTree: number;
  readonly hypervisorTree: number;
  /** The walker sets the accessed flag itself (FEAT_HAFDBS, HA = 1). */
  readonly hardwareAccessed: boolean;
  /** ... and makes entries with a dirty-bit modifier writable (HD = 1); false when not given. */
  readonly hardwareDirty?: boolean;
  /** When stores of a PE become visible to others; at once by default (F1). */
  readonly storeOrder?: StoreOrder;
  /** Its operations turn the hypervisor's regime off and on again (SCTLR_EL2.M); false when not given. */
  readonly switchesHypervisor?: boolean;
  /**
   * An exception that ends the guest masks interrupts until software unmasks them: a kick is answered by who has
   * left the guest and come so far. False when not given: nobody is interrupted.
   */
  readonly masksAtExit?: boolean;
  /** The system tells the host which pages were written (claims HostDirtied). */
  readonly tellsHost?: boolean;
  /** What translates; Arm's when not named. */
  readonly hardware?: TranslationHardware;
  /** The first PE that is the TLB of a device, and so are those after it; none when not given. */
  readonly firstDevice?: number;
  /** Deferred frees that may be outstanding at a time; none when not given. */
  readonly reclaims?: number;
  /**
   * A front end that issues the accesses of a PE out of order (F3, litmus tests): an actor is ready only while
   * this holds. It is asked again after each event that sets `stirred`.
   */
  readonly admits?: (actor: Actor) => boolean;
  /** Pages that the system hands out itself. */
  readonly reserved?: readonly Reserved[];
  /** Locks of such allocators: their holders may use the list nodes in free pages. */
  readonly poolLocks?: readonly number[];
}

/** One keyed operation of a program, ready to run. */
export interface ProgramEntry {
  readonly key: string;
  /** The entry is part of the role (such as "put"), not of the program. */
  readonly implicit: boolean;
  start(self: Actor): Operation<number>;
}

/** A reader of events: oracles, coverage. Must not allocate per event. */
export interface Listener {
  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void;
}

export interface RunLimits {
  /** Steps of program actors before the fair tail begins. */
  readonly steps: number;
  /** Events that the fair tail may take. */
  readonly tail: number;
}
