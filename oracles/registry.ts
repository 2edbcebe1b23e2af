/** The list of oracles. A new one is one file and one line here. */
import { abstractMap } from './abstract-map.ts';
import { accessedBit } from './accessed-bit.ts';
import { breakBeforeMake } from './break-before-make.ts';
import { cacheMaintenance } from './cache-maintenance.ts';
import { content } from './content.ts';
import { context } from './context.ts';
import { deadlock } from './deadlock.ts';
import { dirtyLog } from './dirty-log.ts';
import { emulation } from './emulation.ts';
import { freedPage } from './freed-page.ts';
import { freedTable } from './freed-table.ts';
import { iterator } from './iterator.ts';
import type { OracleSpec } from './oracle.ts';
import { ownership } from './ownership.ts';
import { permissions } from './permissions.ts';
import { progress } from './progress.ts';
import { referenceCounts } from './reference-counts.ts';
import { staleTranslation } from './stale-translation.ts';
import { systemInvariant } from './system-invariant.ts';
import { tableShape } from './table-shape.ts';
import { vmid } from './vmid.ts';

/** In the order in which they see an event: the first violation of a step is the one reported. */
export const ORACLES: readonly OracleSpec[] = Object.freeze([
  freedTable,
  breakBeforeMake,
  staleTranslation,
  freedPage,
  ownership,
  content,
  cacheMaintenance,
  context,
  tableShape,
  permissions,
  iterator,
  abstractMap,
  referenceCounts,
  dirtyLog,
  accessedBit,
  systemInvariant,
  emulation,
  vmid,
  progress,
  deadlock,
]);
