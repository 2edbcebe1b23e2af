/** What a report says, whatever its form: made from the summary of a campaign's folder. */
import type { z } from 'zod';
import type { Case } from '../fuzz/case.ts';
import { formatCase } from '../fuzz/case-text.ts';
import type { summarySchema } from './schemas.ts';

export type Summary = z.infer<typeof summarySchema>;

export interface ReportedFinding {
  readonly system: string;
  readonly bug: string | undefined;
  readonly oracle: string;
  readonly signature: string;
  /** What is wrong, in a sentence: from the comment of the case. */
  readonly sentence: string;
  /** Within the folder; undefined while it is not minimised. */
  readonly file: string | undefined;
  readonly case: Case | undefined;
  readonly caseText: string;
  readonly explanation: readonly string[];
  readonly strategy: string;
  readonly hits: number;
  readonly first: number;
  readonly last: number;
  readonly seconds: number;
  readonly operations: number;
  readonly switches: number;
  /** Page of the trace viewer, within the folder. */
  readonly viewer: string | undefined;
}

export interface Report {
  readonly summary: Summary;
  readonly findings: readonly ReportedFinding[];
  /** Signatures that no case was made of yet. */
  readonly waiting: readonly Summary['details'][number][];
  readonly throughput: number;
  /** Things that were never exercised: an oracle that judged nothing, an operation that never ended well. */
  readonly gaps: readonly string[];
  /** What all this shows, and what it does not. */
  readonly assurance: string;
}

/** @param read a case within the folder */
export function reportOf(
  summary: Summary,
  read: (file: string) => Case,
  assurance: string,
): Report {
  const findings = summary.findings.map((finding): ReportedFinding => {
    const detail = summary.details.find(({ case: file }) => file === finding.case);
    const value = read(finding.case);
    return {
      system: finding.system,
      bug: finding.bug ?? undefined,
      oracle: finding.oracle,
      signature: finding.signature,
      sentence: value.comment.split('\n')[1]?.trim() ?? finding.signature,
      file: finding.case,
      case: value,
      caseText: formatCase(value),
      explanation: detail?.explanation ?? [],
      strategy: detail?.strategy ?? summary.strategy,
      hits: detail?.hits ?? 1,
      first: detail?.first ?? finding.executions,
      last: detail?.last ?? finding.executions,
      seconds: finding.seconds,
      operations: finding.operations,
      switches: finding.switches,
      viewer: undefined,
    };
  });
  return {
    summary,
    findings,
    waiting: summary.details.filter(({ case: file }) => file === null),
    throughput: summary.seconds > 0 ? summary.executions / summary.seconds : 0,
    gaps: gapsOf(summary),
    assurance,
  };
}

function gapsOf(summary: Summary): readonly string[] {
  return summary.systems.flatMap(({ system, operations, oracles, goals }) => [
    ...Object.entries(operations)
      .filter(([, { begun, finished }]) => begun > 0 && finished === 0)
      .map(([id]) => `${system}: operation ${id} never ended well`),
    ...Object.entries(operations)
      .filter(([, { begun }]) => begun === 0)
      .map(([id]) => `${system}: operation ${id} was never begun`),
    ...Object.entries(oracles)
      .filter(([, judgements]) => judgements === 0)
      .map(([id]) => `${system}: oracle ${id} judged nothing`),
    ...goals.filter(({ reached }) => !reached).map(({ id }) => `${system}: goal ${id} not reached`),
  ]);
}

/** The headline. */
export function headline({ findings, waiting, summary }: Report): string {
  const count = findings.length + waiting.length;
  const what = count === 0 ? 'No finding' : count === 1 ? 'One finding' : `${count} findings`;
  return `${what} in ${grouped(summary.executions)} executions`;
}

export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
