#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {
struct Order {
  virtual ~Order() {}
  virtual int price();
  void pay(std::vector<std::string> &items);
  void refund(std::vector<std::string> &items);
};
int Order::price() { return 3; }
void Order::pay(std::vector<std::string> &items) {
  std::for_each(items.begin(), items.end(), [](std::string &item) {
    if (item.size() > 3) throw std::runtime_error("cannot pay " + item);
  });
}
__attribute__((noinline)) void Order::refund(std::vector<std::string> &items) {
  if (items.size() > 2) throw std::runtime_error("cannot refund " + items[2]);
}
__attribute__((noinline)) int priceOf(Order *order) { return order->price() + 1; }
}

template <class T> __attribute__((noinline)) int process(T &order, bool refunds) {
  std::vector<std::string> items{"a", "bb", "cccc"};
  if (refunds) order.refund(items);
  else order.pay(items);
  return items.size();
}

// copies of the environment all over the heap
static std::vector<std::string> kept;
static void keep(const char *secret) {
  for (int index = 0; secret && index < 1000; index++) {
    kept.push_back(secret + std::to_string(index));
  }
}

int main(int count, char **arguments) {
  keep(std::getenv("SECRET"));
  if (std::string(arguments[1]) == "virtual") return shop::priceOf(nullptr) + count;
  bool refunds = std::string(arguments[1]) == "there";
  std::thread thread([refunds] { shop::Order order; process(order, refunds); });
  thread.join();
}
