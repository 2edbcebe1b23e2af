// Entry of a worker thread: runs the TypeScript sources through tsx, as cli/stagewright.mjs does.
import { register } from 'tsx/esm/api';

register();
const worker = import('./worker.ts');

export default async (task) => (await worker).perform(task);
