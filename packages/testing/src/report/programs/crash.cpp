#include <algorithm>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {
struct Order {
  virtual ~Order() {}
  virtual int price();
  void pay(std::vector<std::string> &items);
};
int Order::price() { return 3; }
void Order::pay(std::vector<std::string> &items) {
  std::for_each(items.begin(), items.end(), [](std::string &item) {
    if (item.size() > 3) throw std::runtime_error("cannot pay " + item);
  });
}
__attribute__((noinline)) int priceOf(Order *order) { return order->price() + 1; }
}

template <class T> __attribute__((noinline)) int process(T &order) {
  std::vector<std::string> items{"a", "bb", "cccc"};
  order.pay(items);
  return items.size();
}

int main(int count, char **arguments) {
  if (std::string(arguments[1]) == "virtual") return shop::priceOf(nullptr) + count;
  std::thread thread([] { shop::Order order; process(order); });
  thread.join();
}
