@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling all day long
  A platform that lasts the morning may not last the day: each cancellation may leave a little behind.
  After fifty of them the fifty-first must behave as the first did.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @slow @allure.story:Endurance
  Scenario: After fifty cancelled backtests the fifty-first behaves as the first
    When 50 backtests are started, move and are cancelled, one after the other, and then one more
    Then the last of them were cancelled as quickly as the first
    And the last of them began to move as quickly as the first
    And every place that was free before them is free again

  @normal @slow @allure.story:Endurance @same_backtest
  Scenario: Fifty cancelled backtests leave nothing behind in KTRDR's memory
    Given 50 backtests and one more that were cancelled one after the other
    Then the memory of KTRDR's processes has not grown with them

  @normal @slow @allure.story:Endurance @same_backtest
  Scenario: Fifty cancelled backtests leave no file open
    Given 50 backtests and one more that were cancelled one after the other
    Then the number of files that KTRDR's processes hold open has not grown with them

  @normal @slow @allure.story:Endurance @same_backtest
  Scenario: Fifty cancelled backtests are not counted as active any more
    Given 50 backtests and one more that were cancelled one after the other
    Then KTRDR does not count more and more operations as active

  @normal @slow @allure.story:Endurance @same_backtest
  Scenario: Fifty cancelled backtests leave nothing computing
    Given 50 backtests and one more that were cancelled one after the other
    Then the processors of KTRDR's processes are as quiet at rest as they were
