import { numbered, type FaultSection } from './row.ts'

const S3 = 'packages/upload/src/s3'

export const STORE_FAULTS: FaultSection = numbered('The store', 'store', [
  [
    'object of that name, equal content',
    'before the upload',
    'not sent again',
    'recognized by its MD5',
    `${S3}/put.test.ts › is not sent again when it is there already (%d bytes)`,
  ],
  [
    'object of that name, other content',
    'before the upload',
    'never replaced',
    'ours is kept beside it',
    `${S3}/put.test.ts › never replaces another content of its size (%d bytes)`,
    `${S3}/put.test.ts › of another size is kept beside it`,
  ],
  [
    'name taken',
    'while it is sent',
    'never replaced',
    'ours goes beside',
    `${S3}/put.test.ts › that is taken while it is sent goes beside what came first`,
  ],
  [
    'two transfers of one file',
    'at once',
    'one object',
    'both end well',
    `${S3}/put.test.ts › two transfers of one file at once end with one object`,
  ],
  [
    'wrong secret',
    'at the first call',
    'named, never told',
    'the right one carries on',
    'integration/store-faults.test.ts › a wrong secret is named, nothing is lost, and the right one carries on',
  ],
  [
    'bucket missing',
    'at the first call',
    'named',
    'nothing lost',
    'integration/store-faults.test.ts › a missing bucket is named, and nothing is lost',
  ],
  [
    'directory full',
    'in the copy',
    'told, nothing half',
    'the bundle stays',
    'packages/upload/src/directory/directory.test.ts › a full disk is told, and nothing half is left',
  ],
  [
    'file that changes',
    'while it is copied',
    'not stored',
    'tried again',
    'packages/upload/src/directory/directory.test.ts › a file that changes while it is copied is not stored',
  ],
])
