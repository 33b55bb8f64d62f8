import type { Target } from '../support/target.ts'
import { agent } from './agent.ts'
import { argv } from './argv.ts'
import { backups } from './backups.ts'
import { bundle } from './bundle.ts'
import { cgroups } from './cgroups.ts'
import { containerLogs } from './container-logs.ts'
import { coreDir } from './core-dir.ts'
import { criGrpc } from './cri-grpc.ts'
import { crictl } from './crictl.ts'
import { elf } from './elf.ts'
import { envFile } from './env-file.ts'
import { http } from './http.ts'
import { identity } from './identity.ts'
import { manifests } from './manifests.ts'
import { names } from './names.ts'
import { owners } from './owners.ts'
import { proc } from './proc.ts'
import { proxies } from './proxies.ts'
import { report } from './report.ts'
import { s3 } from './s3.ts'
import { salvage } from './salvage.ts'

/** In the order of the way of a crash. */
export const TARGETS: readonly Target[] = [
  argv,
  envFile,
  proc,
  cgroups,
  owners,
  identity,
  criGrpc,
  crictl,
  containerLogs,
  bundle,
  elf,
  names,
  report,
  salvage,
  coreDir,
  proxies,
  s3,
  manifests,
  http,
  backups,
  agent,
]
