/** All of a campaign's result that other programs rely on, but for times. */
import type { CampaignResult } from '../../campaign/campaign.ts';
import { formatCase } from '../../fuzz/case-text.ts';

export function told({ findings, totals }: CampaignResult) {
  const { executions, steps, vacuous, cells } = totals;
  return {
    executions,
    steps,
    vacuous,
    findings: findings.map(({ failure, file, hits, last, found }) => ({
      failure: { ...failure, hits, last },
      file,
      ...found,
      // undefined fields and missing ones are the same
      case: found === undefined ? undefined : formatCase(found.case),
      others: found?.others.map((other) => ({ ...other, case: formatCase(other.case) })),
    })),
    coverage: totals.coverage.all,
    cells: [...cells].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}
