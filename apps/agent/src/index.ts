export { readSettings } from './settings/read-settings.ts'
export type { SettingProblem } from './settings/problem.ts'
export type { AgentSettings, DestinationSettings, Trigger } from './settings/settings.ts'
