/**
 * The status of a campaign while it runs, on standard error: a block that is drawn again every second on a
 * terminal, a line every 30 s otherwise. docs/campaigns.md says what each number means.
 */
import type { CampaignStatus } from '../campaign/campaign.ts';
import { canaryText } from '../campaign/canary.ts';
import { thousands } from './terminal.ts';

const PLAIN_SECONDS = 30;
/** Findings that are listed; the others are counted. */
const FINDINGS_MAX = 8;
/** Points of the coverage curve, and seconds over which a rate is taken. */
const CURVE_POINTS = 30;
const RATE_SECONDS = 10;
const BARS = '▁▂▃▄▅▆▇█';

interface Point {
  readonly seconds: number;
  readonly executions: number;
  readonly steps: number;
  readonly pairs: number;
}

export class LiveStatus {
  readonly #isLive: boolean;
  readonly #isQuiet: boolean;
  readonly #write: (text: string) => void;
  readonly #points: Point[] = [];
  #shown = 0;
  #lines = 0;

  constructor(
    isQuiet: boolean,
    isLive = process.stderr.isTTY === true,
    write: (text: string) => void = (text) => process.stderr.write(text),
  ) {
    this.#isQuiet = isQuiet;
    this.#isLive = isLive;
    this.#write = write;
  }

  show(status: CampaignStatus): void {
    if (this.#isQuiet) return;
    const { seconds, totals } = status;
    const { executions, steps, coverage } = totals;
    this.#points.push({ seconds, executions, steps, pairs: coverage.count('pairs') });
    if (this.#isLive) {
      this.clear();
      const width = (process.stderr.columns ?? 100) - 1;
      const lines = this.#block(status).map((line) => line.slice(0, width));
      this.#write(`${lines.join('\n')}\n`);
      this.#lines = lines.length;
    } else if (seconds - this.#shown >= PLAIN_SECONDS) {
      this.#shown = seconds;
      this.#write(`${this.#line(status)}\n`);
    }
  }

  /** Takes the block away, so that something else can be printed. */
  clear(): void {
    if (this.#isQuiet || this.#lines === 0) return;
    this.#write(`\u001b[${this.#lines}A\u001b[0J`);
    this.#lines = 0;
  }

  #line(status: CampaignStatus): string {
    const { totals, trouble } = status;
    const { executions, steps } = this.#rates();
    const parts = [
      clock(status.seconds),
      `${thousands(totals.executions)} executions (${thousands(executions)}/s, ${(steps / 1e6).toFixed(2)} M steps/s)`,
      `${totals.findings.size} findings`,
      `${totals.coverage.count('pairs')} pairs (unseen about ${thousands(this.#unseen(status))})`,
    ];
    if (status.corpus > 0) parts.push(`corpus ${status.corpus}`);
    if (status.minimising > 0) parts.push(`${status.minimising} being minimised`);
    if (status.deaths > 0) parts.push(`${status.deaths} workers died`);
    const canary = canaryText(status);
    if (canary !== '') parts.push(canary);
    if (trouble !== undefined) parts.push(`NOT SAVED: ${trouble}`);
    return parts.join('  ');
  }

  #block(status: CampaignStatus): string[] {
    const { totals, seconds } = status;
    const systems = new Map<string, number>();
    for (const { system, executions } of totals.cells.values())
      systems.set(system, (systems.get(system) ?? 0) + executions);
    const budget = [...systems].map(
      ([id, count]) => `${id} ${Math.round((100 * count) / Math.max(1, totals.executions))} %`,
    );
    const findings = [...totals.findings.values()];
    const listed = findings.slice(-FINDINGS_MAX).map((finding) => {
      const { failure, hits, found } = finding;
      const state = found === undefined ? 'minimising' : `${found.operations} operations`;
      const age = clock(seconds - finding.seconds);
      return `  ${age} ago  ${failure.system}  ${failure.signature}  (${thousands(hits)} hits, ${state})`;
    });
    const more = findings.length - listed.length;
    return [
      this.#line(status),
      `systems   ${budget.join(', ')}`,
      `coverage  ${this.#curve()}`,
      ...listed,
      ...(more > 0 ? [`  and ${more} earlier ones`] : []),
    ];
  }

  /** Per second, over the last ones. */
  #rates(): { executions: number; steps: number } {
    const last = this.#points.at(-1)!;
    const from =
      this.#points.findLast(({ seconds }) => last.seconds - seconds >= RATE_SECONDS) ??
      this.#points[0]!;
    // the first second is all that there is
    const start = from === last ? { seconds: 0, executions: 0, steps: 0 } : from;
    const elapsed = Math.max(0.001, last.seconds - start.seconds);
    return {
      executions: (last.executions - start.executions) / elapsed,
      steps: (last.steps - start.steps) / elapsed,
    };
  }

  #unseen({ totals: { coverage } }: CampaignStatus): number {
    return coverage.systems
      .map((system) => coverage.figures(system, 'pairs').unseen)
      .reduce((sum, one) => sum + one, 0);
  }

  /** Pairs over time, and how many came with the last 10,000 executions. */
  #curve(): string {
    const { pairs: now, executions } = this.#points.at(-1)!;
    const count = Math.min(CURVE_POINTS, this.#points.length);
    const bars = Array.from({ length: count }, (_, index) => {
      const at = Math.floor(((index + 1) * this.#points.length) / count) - 1;
      const height = (this.#points[at]!.pairs * (BARS.length - 1)) / Math.max(1, now);
      return BARS[Math.floor(height)];
    });
    const before = this.#points.findLast((point) => executions - point.executions >= 10_000);
    const fresh =
      before === undefined ? '' : `, ${now - before.pairs} in the last 10,000 executions`;
    return `${bars.join('')} ${now} pairs${fresh}`;
  }
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
