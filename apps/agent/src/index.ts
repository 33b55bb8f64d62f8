export { readSettings } from './settings/read-settings.ts'
export type { AgentSettings, Trigger } from './settings/read-settings.ts'
export type { DestinationSettings, SettingProblem } from '@core-dump-handler/upload/settings'
