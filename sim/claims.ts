/**
 * Claims: facts that no access shows, made by system models with `self.claim`. A closed list:
 * oracles rely on their meaning. Fields are (x, y, z).
 */
export const Claim = {
  Invalid: 0,
  /**
   * The host backs input page x with frame y. Bit 0 of z: the guest may write it; the bits above
   * are log2 of the adjacent pages that are backed by adjacent frames.
   */
  HostGrants: 1,
  /** The host takes frame y away from input page x; it may be freed from now on. */
  HostRevokes: 2,
  /** The revocation of x pages is finished: nobody may reach them any more. */
  RevocationReturned: 3,
  /** Input pages [x, x + y) are logged from now on: later guest writes must be reported. */
  LogStarted: 4,
  /** Page x was marked dirty in the log. */
  LogMarked: 5,
  /** Marks of the 32 pages from x were taken: y is the mask, and z the mask of those that were left. */
  LogTaken: 6,
  /** The round that took marks has ended: its report is with user space. */
  LogHarvested: 7,
  LogStopped: 8,
  /** Asked whether [x, x + y) was accessed; the answer is z. */
  YoungAnswered: 9,
  /** Tree x can no longer be loaded by any PE. */
  ContextRetired: 10,
  /**
   * From now on component y owns frame x, and nobody but the components in the bit mask z may reach it
   * (ownership.ts).
   */
  OwnershipChanged: 11,
  /** The fault handler gives up on input page y and lets the guest retry; x is a `RetryReason`. */
  FaultRetry: 12,
  /** The fault handler is done with input page x; y is 1 when it believes that it repaired it. */
  FaultHandled: 13,
  /** The operation begins to work on tree x under its lock; y is the kind of work (card.ts). */
  WorkBegins: 14,
  /**
   * Page y becomes the root of tree x, with no entries. Bit 0 of z: the hardware logs guest writes through it
   * when they set the dirty flag; bit 1: no PE can load it yet; bit 2: references to its tables are not counted yet.
   */
  ContextCreated: 15,
  /** No PE uses tree x any more, and none will without having dropped what it cached of it. */
  ContextObsolete: 16,
  /** The host knows that frame x was written. */
  HostDirtied: 17,
  /** Input page x may not be written by the guest from now on (y = 1), or may again (y = 0). */
  WriteForbidden: 18,
  /** The store just made displaced y, as far as its maker knows, in word x. */
  EntryReplaced: 19,
  /** A walk over input pages [x, y) of tree `z & 15` began; `z >>> 4` is the level at which it stops. */
  WalkBegan: 20,
  /** The walk works on the entry of level z for the pages from x; y is 1 if it goes on below it. */
  WalkVisited: 21,
  /** The walk asked whether it should give up its lock. */
  WalkTested: 22,
  /** The walk gave up its lock and took it again; it goes on at page x. */
  WalkYielded: 23,
  /** The walk came to its end, or gave up early (x = 1). */
  WalkEnded: 24,
  /** Tree x is about to become obsolete: from now on nothing but its removal is promised about it. */
  ContextDoomed: 25,
  /** Somebody who is not its owner takes a reference to page x. */
  PageReferenced: 26,
  /** ... and gives it back. */
  PageReleased: 27,
  /** The hardware's write log of PE y took page x (z = 1), or software has done what is due for it (z = 0). */
  LogQueued: 28,
  /** Translations of tree x are tagged with number y from now on; x is -1 for a guest that has no tree here. */
  ContextTagged: 29,
  /** Input pages [x, x + y) are a device's: mapped as such, and never executable. */
  DevicePages: 30,
  /**
   * A change of one entry was judged: x is the number of the rule that refuses it, 0 for none, y what kind of change it
   * is, z the level of the entry, and above its two bits 1 for one of a contiguous group.
   */
  ChangeJudged: 31,
  /** The system finds that it cannot go on and stops for good; x says why, in its own numbers. */
  Fatal: 32,
  /** PEs may load tree x from now on. */
  ContextLoadable: 33,
  /** References to the tables of tree x are counted from now on. */
  ContextCounted: 34,
  /** From now on memory lies at input pages [x, x + y) for whoever looks (z = 1), or may not lie there (z = 0). */
  MemoryPlaced: 35,
  /** The access to input page x is left to user space, as one to where no memory lies. */
  AccessEmulated: 36,
} as const;
/** One of the claims. */
export type ClaimCode = (typeof Claim)[keyof typeof Claim];

export const CLAIM_NAMES = [
  'invalid',
  'host grants',
  'host revokes',
  'revocation returned',
  'log started',
  'log marked',
  'log taken',
  'log harvested',
  'log stopped',
  'young answered',
  'context retired',
  'ownership changed',
  'fault retry',
  'fault handled',
  'work begins',
  'context created',
  'context obsolete',
  'host dirtied',
  'write forbidden',
  'entry replaced',
  'walk began',
  'walk visits',
  'walk asks whether to yield',
  'walk yielded',
  'walk ended',
  'context doomed',
  'page referenced',
  'page released',
  'log queued',
  'context tagged',
  'device pages',
  'change judged',
  'fatal',
  'context loadable',
  'context counted',
  'memory placed',
  'access emulated',
] as const;

/** Why a fault handler lets the guest try again without having repaired anything. */
export const RetryReason = {
  /** What it knows of the host may be stale: it has not looked at the table. */
  Invalidation: 1,
  /** The entry is not as it was when the fault was taken. */
  Moved: 2,
} as const;
export type RetryReason = (typeof RetryReason)[keyof typeof RetryReason];
