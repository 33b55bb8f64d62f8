import { CriError } from '../error.ts'
import type { RuntimeOptions } from './options.ts'
import type { Runtime } from './runtime.ts'

/**
 * The container runtime of this machine. Nothing is asked of it yet; the modules of the client are
 * read on the first call. Rejects with `CRI_UNAVAILABLE` when there is no socket and no crictl.
 */
export async function openRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  void options
  throw new CriError('CRI_UNAVAILABLE', 'not yet')
}
