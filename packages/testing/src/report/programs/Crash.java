import java.lang.reflect.Field;
import sun.misc.Unsafe;

public class Crash {
  static Unsafe unsafe;

  static long go(int depth) {
    return depth == 0 ? unsafe.getLong(0L) : go(depth - 1) + 1;
  }

  public static void main(String[] arguments) throws Exception {
    Field field = Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    unsafe = (Unsafe) field.get(null);
    System.out.println(go(5));
  }
}
