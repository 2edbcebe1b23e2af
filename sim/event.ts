/**
 * Events: what the machine tells traces and oracles. One table names each kind and its four
 * fields; formatting, the trace viewer and the documentation read it from here.
 */
export const Event = {
  Invalid: 0,
  Read: 1,
  StoreIssue: 2,
  StoreVisible: 3,
  CompareFailed: 4,
  Descriptor: 5,
  Linked: 6,
  Unlinked: 7,
  Barrier: 8,
  Synchronise: 9,
  Register: 10,
  InvalidateIssue: 11,
  InvalidateArrive: 12,
  TlbFill: 13,
  TlbDrop: 14,
  WalkStart: 15,
  WalkRead: 16,
  WalkFreed: 17,
  TouchFreed: 18,
  Fault: 19,
  Use: 20,
  LockTake: 21,
  LockDrop: 22,
  Allocate: 23,
  AllocateFailed: 24,
  Free: 25,
  DoubleFree: 26,
  SectionEnter: 27,
  SectionExit: 28,
  GracePeriod: 29,
  OperationBegin: 30,
  OperationEnd: 31,
  Claim: 32,
  Choice: 33,
  Retry: 34,
  MaySleep: 35,
  FairTail: 36,
  Wait: 37,
  GuestEnter: 38,
  Stuck: 39,
  Deadlock: 40,
  Unfinished: 41,
  GuestExit: 42,
  RunEnd: 43,
  Deferred: 44,
  Callback: 45,
  RegisterEffect: 46,
  Zeroed: 47,
  FreeRequested: 48,
  Masked: 49,
  Moved: 50,
  Prefetch: 51,
  Fetch: 52,
} as const;
/** One of the kinds of events. */
export type EventCode = (typeof Event)[keyof typeof Event];

export const EVENT_KINDS = 53;

/** Field kinds, so that a reader can format numbers as what they are. */
export type Field =
  | 'word'
  | 'value'
  | 'page'
  | 'frame'
  | 'count'
  | 'pe'
  | 'lock'
  | 'mode'
  | 'intent'
  | 'role'
  | 'claim'
  | 'result'
  | 'level'
  | 'row'
  | 'place'
  | 'tlbi'
  | 'fault'
  | 'domain'
  | 'register'
  | '';

export interface EventKind {
  readonly name: string;
  readonly fields: readonly [Field, Field, Field, Field];
}

const kind = (
  name: string,
  a: Field = '',
  b: Field = '',
  c: Field = '',
  d: Field = '',
): EventKind => ({
  name,
  fields: [a, b, c, d],
});

export const EVENT_TABLE: readonly EventKind[] = Object.freeze([
  kind('invalid'),
  kind('read', 'word', 'value'),
  kind('store issued', 'word', 'value', 'value'),
  kind('store', 'word', 'value', 'value', 'count'),
  kind('compare failed', 'word', 'value', 'value'),
  kind('descriptor', 'word', 'value', 'value', 'place'),
  kind('table linked', 'frame', 'level', 'page', 'word'),
  kind('table unlinked', 'frame', 'level', 'page', 'word'),
  kind('barrier', 'domain'),
  kind('context synchronisation'),
  kind('register', 'register', 'value'),
  kind('invalidate', 'tlbi', 'page', 'count', 'value'),
  kind('invalidation arrives', 'tlbi', 'pe', 'count'),
  kind('tlb fill', 'pe', 'page', 'value', 'word'),
  kind('tlb drop', 'pe', 'page', 'value', 'row'),
  kind('walk starts', 'page', 'intent', 'count'),
  kind('walk reads', 'word', 'value', 'level', 'page'),
  kind('walk reads a freed page', 'word', 'frame', 'value', 'row'),
  kind('access to a freed page', 'word', 'frame'),
  kind('fault', 'page', 'fault', 'level', 'intent'),
  kind('guest access', 'page', 'frame', 'intent', 'row'),
  kind('lock', 'lock', 'mode'),
  kind('unlock', 'lock', 'mode'),
  kind('allocate', 'frame', 'role'),
  kind('allocation fails', 'role'),
  kind('free', 'frame', 'role'),
  kind('freed twice', 'frame'),
  kind('read section opens', 'count'),
  kind('read section closes', 'count'),
  kind('grace period', 'count', 'count'),
  kind('begin', 'count'),
  kind('end', 'count', 'result'),
  kind('claim', 'claim', 'value', 'value', 'value'),
  kind('choice', 'count', 'count'),
  kind('retry', 'count'),
  kind('may sleep'),
  kind('fair tail starts'),
  kind('wait', 'word', 'value'),
  kind('guest entered', 'pe'),
  kind('stuck', 'count'),
  kind('deadlock'),
  kind('unfinished', 'count'),
  kind('guest left'),
  kind('run ends'),
  kind('deferred', 'count', 'value'),
  kind('callback', 'count', 'value'),
  kind('register takes effect', 'register', 'value', 'pe'),
  kind('page zeroed', 'frame'),
  kind('free requested', 'frame', 'count'),
  kind('interrupts masked', 'pe', 'count'),
  kind('moves', 'pe'),
  kind('fetches ahead', 'pe'),
  kind('goes on at', 'page', 'count', 'count', 'pe'),
]);
