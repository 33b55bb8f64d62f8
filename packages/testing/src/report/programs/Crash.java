import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import sun.misc.Unsafe;

public class Crash {
  static Unsafe unsafe;

  static long go(int depth) {
    return depth == 0 ? crash() : go(depth - 1) + 1;
  }

  static boolean isThere;

  static long crash() {
    if (!isThere) return unsafe.getLong(0L);
    unsafe.putLong(0L, 1L);
    return 0;
  }

  static final List<String> kept = new ArrayList<>();

  public static void main(String[] arguments) throws Exception {
    Field field = Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    unsafe = (Unsafe) field.get(null);
    for (int index = 0; index < 1000; index++) kept.add(System.getenv("SECRET") + index);
    isThere = arguments.length > 0 && arguments[0].equals("there");
    System.out.println(go(5));
  }
}
