/** What a person sees of a campaign while it runs. */
import test from 'ava';
import type { CampaignStatus } from '../../campaign/campaign.ts';
import { Totals } from '../../campaign/totals.ts';
import { LiveStatus } from '../../cli/live-status.ts';

function statusAt(totals: Totals, seconds: number, more: Partial<CampaignStatus> = {}) {
  const rest = { minimising: 0, corpus: 0, deaths: 0, trouble: undefined, health: undefined };
  return { seconds, totals, ...rest, ...more };
}

function grow(totals: Totals, executions: number, keys: number): void {
  const from = totals.executions;
  totals.merge(
    {
      from,
      to: from + executions,
      cells: [
        {
          system: 'kvm-arm64',
          bugs: [],
          configuration: 'c',
          executions,
          steps: executions * 100,
          vacuous: 0,
          goals: {},
          operations: {},
          oracles: {},
        },
      ],
      failures: [
        {
          key: 'k',
          system: 'kvm-arm64',
          bugs: [],
          signature: 'oracle:rule:page@unmap/x',
          oracle: 'oracle',
          rule: 'rule',
          index: from,
          strategy: 'random',
          hits: 3,
          last: from + 1,
        },
      ],
      coverage: [
        {
          system: 'kvm-arm64',
          keys: {
            pairs: Array.from({ length: keys }, (_, i) => [from + i, 1, from]).flat(),
            states: [],
            segments: [],
          },
        },
      ],
    },
    from / 1000,
  );
}

test('a line every 30 s where nobody can see a block', (t) => {
  const out: string[] = [];
  const live = new LiveStatus(false, false, (text) => out.push(text));
  const totals = new Totals();
  for (let second = 1; second <= 65; second += 1) {
    grow(totals, 1000, second < 5 ? 4 : 0);
    live.show(statusAt(totals, second));
  }
  live.clear();
  t.is(out.length, 2);
  t.regex(
    out[0]!,
    /^0:00:30 {2}30,000 executions \(1,000\/s, 0\.10 M steps\/s\) {2}1 findings {2}16 pairs/,
  );
  t.regex(out[1]!, /^0:01:00 {2}60,000 executions/);
});

test('what is wrong is in the line', (t) => {
  const out: string[] = [];
  const live = new LiveStatus(false, false, (text) => out.push(text));
  const health = { executions: 9000, hits: 0, low: 900, high: 1200, signatures: 0, minimised: 0 };
  live.show(
    statusAt(new Totals(), 31, {
      minimising: 2,
      corpus: 183,
      deaths: 1,
      trouble: 'the disk is full',
      health: { ...health, isRed: true },
    }),
  );
  t.regex(
    out[0]!,
    /corpus 183 {2}2 being minimised {2}1 workers died {2}CANARY RED: 0 hits, 900 to 1200 expected {2}NOT SAVED: the disk is full\n$/,
  );
});

test('a block on a terminal, drawn over the one before', (t) => {
  const out: string[] = [];
  const live = new LiveStatus(false, true, (text) => out.push(text));
  const totals = new Totals();
  for (let second = 1; second <= 12; second += 1) {
    grow(totals, 2000, 2);
    live.show(statusAt(totals, second));
  }
  const block = out.at(-1)!.split('\n');
  t.is(out.at(-2), `\u001b[${block.length - 1}A\u001b[0J`);
  t.is(block[1], 'systems   kvm-arm64 100 %');
  t.regex(block[2]!, /^coverage {2}[▁-█]{12} 24 pairs, 10 in the last 10,000 executions$/);
  t.regex(
    block[3]!,
    /^ {2}0:00:12 ago {2}kvm-arm64 {2}oracle:rule:page@unmap\/x {2}\(36 hits, minimising\)$/,
  );
});

test('nothing when only a document is wanted', (t) => {
  const out: string[] = [];
  const live = new LiveStatus(true, true, (text) => out.push(text));
  live.show(statusAt(new Totals(), 31));
  live.clear();
  t.deepEqual(out, []);
});
