/** What INCLUDE_PROC_INFO keeps of a process, in version 9's order. */
export const PROCESS_FILES: readonly string[] = ['auxv', 'cmdline', 'environ', 'maps', 'status']
