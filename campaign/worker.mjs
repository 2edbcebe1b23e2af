// Entry of a worker thread in a checkout: runs the TypeScript sources through tsx.
import { register } from 'tsx/esm/api';

register();
const worker = import('./worker.ts');

export default async (task) => (await worker).perform(task);
