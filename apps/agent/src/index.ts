export { readSettings } from './settings/read-settings.ts'
export type { AgentSettings, Trigger } from './settings/read-settings.ts'
export type { SettingProblem } from './settings/parse-variables.ts'
export type { DestinationSettings } from './settings/s3-settings.ts'
