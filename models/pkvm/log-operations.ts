/** Operations of the dirty log of the plain guest; two of them are those of other configurations, with the log around them. */
import { type Card, Change, Result, State } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import type { OperationSpec } from '../system.ts';
import { HYPERCALL_CARD, NO_CARD } from './cards.ts';
import type { PkvmConfiguration } from './configurations.ts';
import {
  collectLog,
  LOG_FIRST,
  LOG_PAGES,
  shareLogged,
  startLog,
  stopLog,
  writeLogged,
} from './dirty-log.ts';
import { type PkvmWorld, PLAIN, Tree } from './world.ts';

type Spec = OperationSpec<PkvmConfiguration, PkvmWorld>;

/** 6.7, 4.5: nobody can write the pages, by table or TLB, when the host's flush has returned; of no other guest is anything flushed. */
const LOG_CARD: Card = {
  ...NO_CARD,
  tree: Tree.Guest + PLAIN,
  pages: () => [LOG_FIRST, LOG_PAGES],
  inside: [Change.Restrict],
  unusable: 'tightened',
  by: 'end',
  results: [Result.Ok, Result.Invalid],
};

/** ... and all of them were read-only at some instant when the log begins. */
const START_CARD: Card = { ...LOG_CARD, achieves: State.ReadOnly, claims: [Claim.LogStarted] };
const COLLECT_CARD: Card = { ...LOG_CARD, claims: [Claim.LogTaken, Claim.LogHarvested] };
const STOP_CARD: Card = { ...NO_CARD, claims: [Claim.LogStopped] };
/** A page is marked while the log runs. */
const SHARE_CARD: Card = { ...HYPERCALL_CARD, claims: [Claim.LogMarked] };
const WRITE_CARD: Card = { ...SHARE_CARD, claims: [Claim.LogMarked, Claim.FaultHandled] };

type Plain = Pick<Spec, 'id' | 'title' | 'weight' | 'card' | 'start'>;

const call = (spec: Plain): Spec => ({ ...spec, roles: ['vcpu', 'host'], parameters: [] });

export const LOG_OPERATIONS: readonly Spec[] = [
  call({
    id: 'log-start',
    title: 'the host begins to log what the plain guest writes',
    card: START_CARD,
    weight: 6,
    start: (self, world) => startLog(self, world),
  }),
  call({
    id: 'log-collect',
    title: 'the host collects what was written',
    card: COLLECT_CARD,
    weight: 6,
    start: (self, world) => collectLog(self, world),
  }),
  call({
    id: 'log-stop',
    title: 'the host ends the log',
    card: STOP_CARD,
    weight: 2,
    start: (self, world) => stopLog(self, world),
  }),
];

/** By operation of other configurations: what it is with a log. */
export const WITH_LOG: Readonly<Record<string, Pick<Spec, 'card' | 'start'>>> = {
  'guest-share': {
    card: SHARE_CARD,
    start: (self, world, [guest = 0, page = 0, frame = 0]) =>
      shareLogged(self, world, guest, page, frame),
  },
  'guest-write': {
    card: WRITE_CARD,
    start: (self, world, [guest = 0, page = 0]) => writeLogged(self, world, guest, page),
  },
};
