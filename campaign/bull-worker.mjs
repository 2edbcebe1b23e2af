// Sandboxed processor of a distributed campaign: a process that performs one task at a time.
import { register } from 'tsx/esm/api';

register();
const processor = import('./bull-process.ts');

export default async (job) => (await processor).process(job.data);
