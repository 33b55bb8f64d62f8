static int *volatile pointer;
static volatile int sink;
__attribute__((noinline)) static void plugin_inner(void) { *pointer = 1; sink++; }
void plugin_crash(void) { plugin_inner(); sink++; }
