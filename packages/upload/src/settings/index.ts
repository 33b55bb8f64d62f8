export { readDestination } from './read-destination.ts'
export type { ReadDestination } from './read-destination.ts'
export { fitParts } from './s3-settings.ts'
export type { DestinationSettings } from './s3-settings.ts'
export {
  bool,
  DESTINATION_VARIABLES,
  integer,
  oneOf,
  parseVariables,
  path,
  text,
  url,
} from './variables.ts'
export type { DestinationVariables, SettingProblem } from './variables.ts'
